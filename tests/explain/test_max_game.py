"""The game on networks whose points meet in one max: which networks they are, and what is left out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.explain.test_perturbation import NETWORKS, played
from tests.reference import networks
from tests.reference.networks import POINTS, assert_close
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.max_game import MaxGame

CLOUD = POINTS[0]


@pytest.mark.parametrize(
    ("name", "split"), [("max", True), ("foreign", True), ("t-nets", False), ("balls", False)]
)
def test_the_head_alone_is_run_where_points_meet_in_one_max(name, split):
    assert (type(played(NETWORKS[name](), CLOUD)[0]).__name__ == "MaxGame") is split


def test_the_head_is_not_run_for_arrivals_that_raise_no_maximum(monkeypatch):
    game, _ = played(networks.foreign(), CLOUD, units="points")
    ranks = np.random.default_rng(0).permutation(len(CLOUD))[None].astype(np.int32)
    expected = Game.along(game, tf.constant(ranks)).numpy()  # each prefix by itself
    rows = []
    monkeypatch.setattr(
        MaxGame,
        "_of_maxima",
        lambda self, pooled, plain=MaxGame._of_maxima: rows.append(len(pooled)) or plain(self, pooled),
    )
    assert_close(game.along(tf.constant(ranks)), expected)
    pooled = np.maximum.accumulate(game.units.numpy()[np.argsort(ranks[0])], axis=0)
    assert rows == [len(np.unique(pooled, axis=0))]
    assert rows[0] < len(CLOUD)
