"""Conditions, their runs in a folder, and what is reported of them."""

import numpy as np
import pytest

from tfxai3d import evaluate, storage
from tfxai3d.errors import UserError
from tfxai3d.results import DropRun, DropStep, DropTable

CLOUDS = np.random.default_rng(3).uniform(-1, 1, (3, 30, 3)).astype("float32")
LABELS = np.array([0, 1, 2])


def run(model, *conditions, **options):
    return evaluate.drop_curves(
        model, CLOUDS, LABELS, conditions, num_drop=5, num_steps=2, batch_size=2, **options
    )


def test_conditions():
    assert evaluate.Condition.parse("random") == evaluate.Condition.parse("random:highest")
    assert evaluate.Condition.parse("point_saliency:lowest") == ("point_saliency", "lowest")
    for text, message in (("guess", "unknown method 'guess'"), ("random:best", "say highest or lowest")):
        with pytest.raises(UserError, match=message):
            evaluate.Condition.parse(text)


def test_a_fixed_order_takes_as_many_points_in_fewer_steps():
    by_chance, by_saliency = map(evaluate.Condition.parse, ("random", "point_saliency"))
    assert by_chance.schedule(5, 40, recompute=True) == (50, 4)
    assert by_saliency.schedule(5, 40, recompute=False) == (50, 4)
    assert by_saliency.schedule(5, 40, recompute=True) == (5, 40)
    assert by_chance.schedule(7, 3, recompute=True) == (7, 3)


def test_a_folder_changes_nothing_and_keeps_the_settings(tiny_model, tmp_path):
    conditions = ("critical_points:lowest", "random")
    kept, alone = run(tiny_model, *conditions, folder=tmp_path), run(tiny_model, *conditions)
    for name, file in zip(conditions, ("critical_points_lowest", "random"), strict=True):
        stored = DropTable.load(tmp_path / f"{file}.h5")
        for column in ("points", "predicted", "confidence", "loss", "dropped"):
            np.testing.assert_array_equal(stored.rows[column], alone[name].rows[column])
            np.testing.assert_array_equal(kept[name].rows[column], alone[name].rows[column])
    with pytest.raises(UserError, match=r"seed=1: .* holds a run with 0"):
        run(tiny_model, "random", folder=tmp_path, seed=1)


def test_options_that_do_not_fit_leave_no_settings(tiny_model, tmp_path):
    with pytest.raises(UserError, match="has no balls"):
        run(tiny_model, "point_saliency", folder=tmp_path, options={"centre": "ball"})
    assert not list(tmp_path.iterdir())
    tables = run(tiny_model, "point_saliency", folder=tmp_path, options={"centre": "mean"})
    assert storage.read_run(tmp_path)["settings"]["centre"] == "mean"
    assert len(tables["point_saliency"]) == 3


def table_of(accuracies):
    """A table of one cloud of 110 points that loses 50 in each step."""
    steps = [
        DropStep(i, 110 - 50 * i, 0, 0.5, accuracy, 1.0, 50, 0.0) for i, accuracy in enumerate(accuracies)
    ]
    return DropTable().extended([DropRun(steps, np.zeros(110, int))], [0])


def test_summary_beside_what_was_published():
    tables = {"a": table_of([0.75, 0.5, 0.25]), "b:lowest": table_of([0.75, 0.875, 1.0])}
    text = evaluate.drop_summary(tables, {"a": {0: 0.76, 100: 0.4}, "b:lowest": {0: 0.76, 100: 0.99}})
    assert text.splitlines()[2:] == [
        "| a | 0.750 (0.760) | 0.500 | **0.250** (0.400) | 0.500 | 0.500 |",
        "| b:lowest | 0.750 (0.760) | 0.875 | 1.000 (0.990) | 0.875 | 0.500 |",
        "",
        "After 100 points: a 0.250 < clean 0.750 < b:lowest 1.000.",
        "Published, in brackets: a 0.400 < clean 0.760 < b:lowest 0.990. Bold: more than 3 points apart.",
    ]
    assert "Published" not in evaluate.drop_summary(tables)
    inserted = evaluate.insertion_curves(tables)
    assert list(inserted) == ["b"]
    np.testing.assert_array_equal(inserted["b"]["points_inserted"], [0, 50, 100])


def test_comparison_of_modes_goes_on_where_it_was_stopped(tiny_model, tmp_path):
    rotations = evaluate.RotationTest(tiny_model, evaluate.random_rotations(2))

    def compare(clouds, folder, seed=0):
        arguments = (tiny_model, clouds, LABELS[: len(clouds)], ["+average", "asm"], rotations)
        return evaluate.compare_modes(*arguments, num_drop=5, seed=seed, folder=folder)

    def known(rows):
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]

    whole = compare(CLOUDS, None)
    assert len(compare(CLOUDS[:1], tmp_path).runs) < len(whole.runs)
    again = compare(CLOUDS, tmp_path)
    assert (known(again.runs), known(again.steps)) == (known(whole.runs), known(whole.steps))
    loaded = evaluate.ModeComparison.load(tmp_path)
    assert (loaded.runs, loaded.steps) == (again.runs, again.steps)
    assert loaded.markdown(evaluate.STRUHS) == again.markdown() + evaluate.STRUHS
    with pytest.raises(UserError, match=r"seed=2: .* holds a run with 0"):
        compare(CLOUDS, tmp_path, seed=2)
    (tmp_path / "steps.csv").unlink()
    with pytest.raises(UserError, match=r"steps\.csv: no such file"):
        compare(CLOUDS, tmp_path)


def test_means_over_the_curves_that_go_on():
    curves = [{"iteration": np.arange(n), "loss": np.full(n, float(n))} for n in (1, 3)]
    np.testing.assert_array_equal(evaluate.mean_by_iteration(curves)["loss"], [2, 3, 3])


def test_only_a_pointnet_tells_what_a_point_can_change():
    from tfxai3d.models import PointNet2

    outcomes = evaluate.remove_without_heat(PointNet2(3, density=0.02), CLOUDS, LABELS)
    assert any("heat" in name for name in outcomes)
    assert not any("T-Nets" in name or "nowhere" in name for name in outcomes)
