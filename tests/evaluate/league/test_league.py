"""The league: contests that go on after a stop, and the order that follows from their scores."""

import numpy as np
import pytest

from tfxai3d import evaluate, models
from tfxai3d.errors import UserError
from tfxai3d.evaluate import Entry, Subject


def entry(method, passes=1.0, **scores):
    return Entry(method, {k: np.array(v, float) for k, v in scores.items()}, np.zeros((2, 3)), 0.1, passes)


def test_scores_are_scaled_then_aggregated_then_ranked():
    contests = {
        "a": [
            entry("good", area_between=[0.8, 0.6], max_sensitivity=[1, 1], gini=[0.3, 0.3]),
            entry("middle", 3.0, area_between=[0.4, 0.2], max_sensitivity=[2, 2], gini=[0.3, 0.3]),
            entry("bad", area_between=[0.0, -0.2], max_sensitivity=[5, 5], gini=[0.3, 0.3]),
        ],
        "b": [entry("good", area_between=[0.5, 0.5]), entry("middle", 5.0, area_between=[0.9, 0.9])],
    }
    places = evaluate.standing(contests)
    found = {place.method: place for place in places}
    # good: 1 and 0 in the two contests, median 0.5; middle: 0.5 and 1; the gini of all is equal: no group.
    assert {name: dict(place.groups) for name, place in found.items()} == {
        "good": {"faithfulness": 0.5, "robustness": 1.0},
        "middle": {"faithfulness": 0.75, "robustness": 0.75},
        "bad": {"faithfulness": 0.0, "robustness": 0.0},
    }
    assert [place.method for place in places] == ["good", "middle", "bad"]  # equal totals by name
    assert found["good"].total == found["middle"].total == 0.75
    assert found["middle"].passes == 4.0


def test_a_group_that_was_not_measured_of_a_method_does_not_count():
    contests = {
        "a": [entry("x", area_between=[1]), entry("y", area_between=[0])],
        "b": [entry("x", mass=[0.2]), entry("z", mass=[0.4])],
    }
    found = {place.method: place for place in evaluate.standing(contests)}
    assert found["z"].total == 1.0
    assert np.isnan(found["z"].groups["faithfulness"])
    assert found["x"].total == 0.5


def test_the_order_survives_where_both_halves_of_the_examples_agree():
    rows = {"a": [3, 3, 3, 3], "b": [2, 2, 2, 2], "c": [1, 1, 1, 1]}
    stable = {"s": [entry(name, area_between=row) for name, row in rows.items()]}
    assert evaluate.survives(stable) == pytest.approx(1)
    turned = {"a": [3, 1, 3, 1], "b": [2, 2, 2, 2], "c": [1, 3, 1, 3]}
    unstable = {"s": [entry(name, area_between=row) for name, row in turned.items()]}
    assert evaluate.survives(unstable) == pytest.approx(-1)
    assert np.isnan(evaluate.survives({"s": [entry("a", area_between=[1, 2])]}))


@pytest.fixture(scope="module")
def subject():
    points = np.random.default_rng(0).normal(size=(3, 40, 3)).astype("float32")
    return Subject(models.PointNet(4, "basic"), points, np.array([0, 1, 2]))


def test_a_contest_goes_on_where_it_was_stopped(subject, tmp_path):
    calls = []

    def rater(name):
        def rate(inputs, labels):
            calls.append(name)
            if name == "broken" and len(inputs) == 3 and calls.count("broken") < 4:
                raise KeyboardInterrupt
            return inputs[..., 0]

        return rate

    raters = {name: rater(name) for name in ("first", "broken", "last")}
    with pytest.raises(KeyboardInterrupt):
        evaluate.hold_contest(subject, raters, ["gini", "deletion"], tmp_path)
    assert [e.method for e in evaluate.read_contest(tmp_path)] == ["first"]
    calls[:] = ["broken"] * 4
    done = evaluate.hold_contest(subject, raters, ["gini", "deletion"], tmp_path)
    assert [e.method for e in done] == ["first", "broken", "last"]
    assert "first" not in calls
    for before, after in zip(
        sorted(done, key=lambda e: e.method), evaluate.read_contest(tmp_path), strict=True
    ):
        assert before.method == after.method
        np.testing.assert_array_equal(before.importance, after.importance)
        for metric, values in before.scores.items():
            np.testing.assert_array_equal(values, after.scores[metric])
    with pytest.raises(UserError, match="metrics="):
        evaluate.hold_contest(subject, raters, ["gini"], tmp_path)


def test_entrants_are_methods_their_magnitudes_and_chance(subject):
    names = ["gradient_times_input", "gradient_times_input:magnitude", "random"]
    raters = evaluate.entrants(names, subject.network, {"seed": 0, "steps": 3})
    signed, magnitude, chance = (rate(subject.inputs, subject.labels) for rate in raters.values())
    np.testing.assert_array_equal(np.abs(signed), magnitude)
    assert (signed < 0).any()
    np.testing.assert_array_equal(chance, raters["random"](subject.inputs, subject.labels))
    assert not np.array_equal(chance, raters["random"](subject.inputs + 0.01, subject.labels))
    with pytest.raises(UserError, match="unknown method"):
        evaluate.entrants(["gradient"], subject.network, {})


def test_records_and_rows_say_the_means_and_their_intervals():
    contests = {"a": [entry("x", area_between=[0.2, 0.4]), entry("y", area_between=[0.1, 0.1])]}
    record = evaluate.league_records(contests)[0]
    assert (record["contest"], record["method"], record["better"]) == ("a", "x", "higher")
    assert record["low"] <= record["mean"] <= record["high"]
    head, rows = evaluate.contest_rows(contests["a"])
    assert head == ["method", "area_between \N{UPWARDS ARROW}"]
    assert rows[0][1].startswith("0.300 (0.200 to 0.400")
    head, rows = evaluate.standing_rows(evaluate.standing(contests))
    assert rows[0][:4] == ["1", "x", "1.00", "1.00"]


@pytest.mark.slow
def test_a_network_learns_a_known_reason_once_and_maps_find_it(tmp_path):
    subject, accuracy = evaluate.known_reason("shortcut", 6, 128, tmp_path)
    assert accuracy > 0.9
    weights = [w.numpy() for w in subject.model.weights]
    again, _ = evaluate.known_reason("shortcut", 6, 128, tmp_path)
    for one, other in zip(weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    raters = evaluate.entrants(["mean_field_shapley", "random"], subject.network, {})
    ours, chance = (e.scores["mass"].mean() for e in evaluate.hold_contest(subject, raters))
    assert chance < 0.1  # a twentieth of the points
    assert ours > 0.3


def test_a_subject_of_examples_that_are_classified_right(subject):
    net, points = subject.network, subject.inputs
    predicted = evaluate.classify(net, points, subject.labels).predicted
    labels = predicted.copy()
    labels[1] = (labels[1] + 1) % 4
    chosen = Subject.of_right(net, points, labels, 5)
    assert sorted(chosen.inputs[:, 0, 0]) == sorted(points[[0, 2], 0, 0])
    (one,) = Subject.of_right(net, points, labels, 1).inputs  # the first of the same draw
    np.testing.assert_array_equal(one, chosen.inputs[0])
    firsts = {Subject.of_right(net, points, labels, 1, seed=seed).inputs[0, 0, 0] for seed in range(8)}
    assert firsts == {points[0, 0, 0], points[2, 0, 0]}
    with pytest.raises(UserError, match="none of the 3"):
        Subject.of_right(net, points, (predicted + 1) % 4, 5)
