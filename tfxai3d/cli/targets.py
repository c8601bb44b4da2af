"""What is asked about the objects: --target, or the classes that they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from absl import flags

from tfxai3d import explain
from tfxai3d.cli.objects import Object, check_classifies_whole
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS


def named_target(net: explain.Network) -> Any:
    """Returns what --target names; None without it.

    Raises:
        UserError: If the network has no such class, or classifies each point or voxel and none is named.
    """
    if FLAGS.target is None and net.segments:
        such = f", such as {net.class_names[0]}" if net.class_names else ""
        raise UserError(f"--target: {net.name} classifies each of the {net.kind}; name a class{such}")
    return FLAGS.target and explain.named_target(FLAGS.target, net.class_names, net.segments)


def class_numbers(objects: Iterable[Object], net: explain.Network) -> list[int | None]:
    """Returns the class of each object as the model counts it, None for the predicted one.

    A model that names no classes is asked why it predicts what it does, unless --label says otherwise.

    Raises:
        UserError: If the model does not know one, or classifies each point or voxel.
    """
    check_classifies_whole(net)
    class_names = net.class_names
    if class_names is None and not FLAGS.label:
        return [None for _ in objects]
    return [None if item.label is None else explain.class_number(item.label, class_names) for item in objects]
