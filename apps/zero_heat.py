"""Shows what points without heat are good for: removes them all at once and looks what the network says.

  python apps/zero_heat.py --data_dir=.../modelnet40_ply_hdf5_1024

p-grad-CAM's mode `zero` drops the points that have no heat. They have no part in the decision that the max
over the points makes, but in a PointNet they may still have one in the T-Nets, which rotate the cloud before.
The table tells the two apart: points are removed, or removed after the T-Nets have seen the whole cloud, or
only those removed that win a channel nowhere, neither in the T-Nets nor after them, which can change nothing
at all. Each time as many random points are removed as well. Written to --output_dir, and printed: table.md,
with the settings in run.json.
"""

from __future__ import annotations

from absl import flags

from tfxai3d import cli, evaluate, storage

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL, data_kind="points", data_dir=None, num_points=1024, num_examples=None, batch_size=32,
    seed=0, output_dir="out/zero_heat",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Measures and prints the table."""
    output_dir = cli.check_outputs()
    preset = FLAGS.model or ("pointnet_modelnet40" if FLAGS.data_dir else "pointnet_shapes")
    cli.load_tensorflow()
    net = cli.load_network(preset)
    count = FLAGS.num_examples or (None if FLAGS.data_dir else 100)
    split = cli.open_labelled(net, count)
    options = {"batch_size": FLAGS.batch_size, "seed": FLAGS.seed}
    outcomes = evaluate.remove_without_heat(net, split.inputs, split.labels, **options)
    table = evaluate.zero_heat_table(outcomes, split.labels, net.head)
    storage.write_text(output_dir / "table.md", table)
    cli.write_report(__name__, output_dir, {"model": preset})
    print(table, end="")


if __name__ == "__main__":
    cli.run(main)
