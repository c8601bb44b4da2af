"""How far the order of the league holds: draws, networks, plans with fewer examples, maps from files."""

import dataclasses

import numpy as np
import pytest

from tfxai3d import evaluate, models, storage
from tfxai3d.errors import UserError
from tfxai3d.evaluate import Entry, Plan, Subject


def entry(method, **scores):
    return Entry(method, {k: np.array(v, float) for k, v in scores.items()}, np.zeros((2, 3)), 0.1, 1.0)


def contest(**areas):
    return [entry(name, area_between=row) for name, row in areas.items()]


def test_draws_of_the_same_examples_are_pooled_and_their_orders_compared():
    contests = {
        "net_on_data": contest(a=[3, 3], b=[2, 2], c=[1, 1]),
        "net_on_data_seed_7": contest(a=[1, 1], b=[2, 2], c=[5, 5]),
        "other_on_data": contest(a=[9], b=[8], c=[7]),
    }
    pooled = evaluate.pooled(contests)
    assert [*pooled] == ["net_on_data", "other_on_data"]
    assert pooled["net_on_data"][2].scores["area_between"].tolist() == [1, 1, 5, 5]
    found = {(row["of"], row["by"]): row["correlation"] for row in evaluate.order_records(contests)}
    assert found["net_on_data", "seed_0 and seed_7"] == pytest.approx(-1)
    # Pooled, c is before a, and a equals b: -0.866 to an order of a, b, c.
    assert found["net_on_data", "beside other_on_data"] == pytest.approx(-np.sqrt(3) / 2)


def test_what_misses_a_group_has_no_place_but_its_numbers():
    contests = {"a": [entry("x", area_between=[1], gini=[0.7]), entry("y", area_between=[0], gini=[0.5])]}
    contests["a"].insert(0, entry("maps", area_between=[2]))
    places = evaluate.standing(contests)
    assert [(place.method, place.ranked) for place in places] == [("x", True), ("y", True), ("maps", False)]
    _, rows = evaluate.standing_rows(places)
    assert rows[-1][:5] == ["", "maps", "-", "1.00", "-"]
    assert evaluate.contest_rows(contests["a"])[1][0] == ["maps", "2.000 (n=1)", "-"]


def test_a_method_of_few_examples_is_held_against_chance_on_the_same():
    # By the means alone, the method that saw the hard example would be the worse of the two.
    contests = {
        "a": [
            entry("random", area_between=[0.0, 0.6]),
            entry("few", area_between=[0.4]),
            entry("all", area_between=[0.2, 0.9]),
        ]
    }
    total = {place.method: place.total for place in evaluate.standing(contests)}
    assert total == pytest.approx({"few": 1.0, "all": 0.625, "random": 0.0})
    draws = {**contests, "a_seed_1": contests["a"]}
    assert evaluate.pooled(draws)["a"][1].scores["area_between"].tolist() == pytest.approx(
        [0.4, np.nan, 0.4, np.nan], nan_ok=True
    )
    assert {p.method: p.total for p in evaluate.standing(evaluate.pooled(draws))} == pytest.approx(total)
    counts = {row["method"]: row["examples"] for row in evaluate.league_records(evaluate.pooled(draws))}
    assert counts == {"random": 4, "few": 2, "all": 4}


def test_zeroing_is_compared_on_the_same_examples_and_counts_for_no_place():
    contests = {
        "a": [
            entry("x", area_between=[0.9, 0.1], area_zeroed=[0.2]),
            entry("y", area_between=[0.5, 0.9], area_zeroed=[0.4]),
            entry("z", area_between=[0.1, 0.9], area_zeroed=[0.1]),
        ]
    }
    records = {row["method"]: row for row in evaluate.zeroing_records(contests)}
    assert records["x"]["removed"] == 0.9  # of the first example alone
    assert (records["x"]["place"], records["x"]["place zeroed"]) == (1, 2)
    assert evaluate.zeroing_correlations(contests) == {"a": pytest.approx(0.5)}
    total = {place.method: place.total for place in evaluate.standing(contests)}
    assert total == {"x": 0.0, "y": 1.0, "z": 0.0}


def test_a_plan_gives_what_is_dear_fewer_examples():
    plan = Plan(repeated=8, dear_fraction=0.25)
    assert plan.examples("deletion", 40, dear=False) == 40
    assert plan.examples("rotation", 40, dear=False) == 8
    assert plan.examples("deletion", 40, dear=True) == 10
    assert plan.examples("rotation", 40, dear=True) == 2
    assert plan.examples("rotation", 1, dear=True) == 1
    for wrong in ({"repeated": 0}, {"dear_fraction": 0.0}, {"dear_fraction": 1.5}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Plan(**wrong)


@pytest.fixture(scope="module")
def subject():
    points = np.random.default_rng(0).normal(size=(4, 24, 3)).astype("float32")
    return Subject(models.PointNet(4, "basic"), points, np.array([0, 1, 2, 3]))


def test_a_contest_measures_the_first_examples_as_its_plan_says(subject):
    names = ["leave_one_out", "vanilla_gradient"]
    raters = evaluate.entrants(names, subject.network, {})
    metrics = ["deletion", "other_class"]
    dear, cheap = evaluate.hold_contest(subject, raters, metrics, plan=Plan(2, 0.5))
    assert [len(dear.scores[name]) for name in metrics] == [2, 1]
    assert [len(cheap.scores[name]) for name in metrics] == [4, 2]
    (whole,) = evaluate.hold_contest(subject, {"v": raters["vanilla_gradient"]}, metrics)
    for name in metrics:
        np.testing.assert_allclose(
            cheap.scores[name], whole.scores[name][: len(cheap.scores[name])], rtol=1e-4
        )


def test_maps_from_a_file_are_measured_as_the_method_that_made_them(subject, tmp_path):
    raters = evaluate.entrants(["gradient_times_input"], subject.network, {})
    importance = raters["gradient_times_input"](subject.inputs, subject.labels)
    evaluate.write_examples(tmp_path / "examples.npz", subject)
    with storage.open_npz(tmp_path / "examples.npz", "examples") as store:
        examples = {name: store[name] for name in ("inputs", "labels")}
    np.testing.assert_array_equal(examples["labels"], subject.labels)
    path = tmp_path / "theirs.npz"
    storage.write_npz(path, {"importance": importance[:3], "inputs": examples["inputs"][:3]})
    raters["theirs"] = evaluate.read_maps(path, subject)
    metrics = ["deletion", "insertion", "half", "rotation", "other_class", "gini", "area_zeroed"]
    ours, theirs = evaluate.hold_contest(subject, raters, metrics)
    assert "rotation" in ours.scores
    assert {*metrics} - {*theirs.scores} == {"rotation", "other_class"}
    for name in theirs.scores:
        np.testing.assert_allclose(theirs.scores[name], ours.scores[name][:3], rtol=1e-4)
    assert len(theirs.scores["deletion"]) == 3
    assert np.isnan(theirs.seconds)
    with pytest.raises(UserError, match="none of them says something of maps"):
        evaluate.hold_contest(subject, {"theirs": raters["theirs"]}, ["rotation"])


def test_maps_that_do_not_fit_are_one_line(subject, tmp_path):
    path = tmp_path / "wrong.npz"
    for arrays, message in (
        ({"importance": np.zeros((3, 5))}, r"importance \(3, 5\)"),
        ({"importance": np.zeros((5, 24))}, r"importance \(5, 24\)"),
        ({"importance": np.zeros((2, 24)), "inputs": subject.inputs[1:3]}, "other inputs"),
    ):
        storage.write_npz(path, arrays)
        with pytest.raises(UserError, match=message):
            evaluate.read_maps(path, subject)
    storage.write_npz(path, {"maps": np.zeros((2, 24))})
    with pytest.raises(UserError, match=r"wrong\.npz"):
        evaluate.read_maps(path, subject)


def test_channels_first_is_refused_in_one_line(subject):
    turned = dataclasses.replace(subject.network, data_format="channels_first")
    with pytest.raises(UserError, match="channels are the last axis"):
        evaluate.metrics_of(Subject(turned, subject.inputs.swapaxes(1, 2), subject.labels))
