"""Claims as tables; what they measure is tested where it is computed, and as a whole by the app's tests."""

import numpy as np
import pytest

from tfxai3d.evaluate import Interval, claims, rank_correlation
from tfxai3d.storage import markdown_table


def test_a_claim_in_markdown():
    table = claims.Table(
        "Two numbers.",
        "method",
        {"fraction": "{:.1%}", "change": "{:+.2f}"},
        {"`a`": [Interval(0.5, 0.25, 0.75), None], "`b`": [Interval(1, 0, 1), Interval(-1, -2, 0)]},
    )
    assert claims.Claim("What", (table, table)).markdown("`net`, 2 objects") == "\n\n".join(
        ["## What: `net`, 2 objects"]
        + 2
        * [
            "Two numbers.",
            markdown_table(
                ["method", "fraction", "change"],
                [
                    ["`a`", "50.0% (25.0% to 75.0%)", "-"],
                    ["`b`", "100.0% (0.0% to 100.0%)", "-1.00 (-2.00 to +0.00)"],
                ],
            ),
        ]
    )


def test_a_single_example_has_no_interval():
    table = claims.Table("", "method", {"fraction": "{:.1%}"}, {"`a`": [Interval(0.5, np.nan, np.nan)]})
    assert table.markdown().endswith(markdown_table(["method", "fraction"], [["`a`", "50.0%"]]))


def test_edges_of_a_network_that_looks_everywhere_alike(tiny_model, monkeypatch):
    """Then the fraction of the importance on edges is the fraction of the points, and the ratio is 1."""
    from tfxai3d.evaluate.claims import edges

    def alike(model, methods, inputs, labels, **options):
        yield "uniform", np.ones(inputs.shape[:2])

    monkeypatch.setattr(edges, "importance_maps", alike)
    marked = claims.marked_shapes(tiny_model, 4, 64)
    (table,) = claims.edges_and_corners(tiny_model, marked).tables
    fraction, ratio, *_ = table.rows["`uniform`"]
    assert table.text.startswith(f"{fraction.mean:.1%} of what lies on the surface")
    assert ratio == pytest.approx((1, 1, 1))


def test_rank_correlation_within_a_part():
    rng = np.random.default_rng(0)
    one, other, part = rng.random((3, 4, 5)), rng.random((3, 4, 5)), rng.random((3, 4, 5)) < 0.5
    found = rank_correlation(one, other, within=part)
    for i in range(3):
        alone = rank_correlation(one[i][part[i]][None], other[i][part[i]][None])
        assert found[i] == alone[0]
    np.testing.assert_array_equal(
        rank_correlation(one, other, within=np.ones_like(part)), rank_correlation(one, other)
    )
