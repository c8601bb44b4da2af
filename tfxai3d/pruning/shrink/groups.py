"""Which channels of a network can be cut, which only together, and which weights read them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.shrink.channels import Anatomy
from tfxai3d.pruning.shrink.dead_channels import ChannelRemoval


class ChannelGroups(NamedTuple):
    """The groups of a network: channels that residual sums tie together are one, most have one channel."""

    #: Number of groups of each layer, by the path of the kernel that makes them first; they are numbered
    #: through, in this order.
    counts: dict[str, int]
    #: The kernels (...,C,K) that read any group.
    readers: list[keras.Variable]
    #: The group that each row of these kernels reads (C,), or the number of groups for one that must stay.
    rows: list[np.ndarray]


def channel_groups(model: keras.Model, makers: Mapping[str, Any]) -> ChannelGroups:
    """Finds the channels that can be cut.

    These are the channels that only the kernels `makers`, by path, make, and only layers of known kinds read,
    see `remove_dead_channels`. The inputs and outputs of the network are none of them.

    Raises:
        UserError: If there is none, or the model is not functional.
    """
    anatomy = ChannelRemoval(model).anatomy
    group, stays = anatomy.connect()
    paths = {id(variable): path for path, variable in makers.items()}
    read = np.zeros(len(stays), bool)
    for product in anatomy.products:
        read[group[product.x.units]] = True
        if id(product.variable) not in paths:
            stays[group[product.y.units]] = True
    counts, number = _numbered(anatomy, group, read & ~stays, paths)
    total = sum(counts.values())
    if not total:
        raise UserError(f"model {model.name!r} has no channels that can be cut; prune its weights instead")
    rows = [number[group[product.x.units]] for product in anatomy.products]
    reading = [i for i, some in enumerate(rows) if (some < total).any()]
    return ChannelGroups(counts, [anatomy.products[i].variable for i in reading], [rows[i] for i in reading])


def _numbered(
    anatomy: Anatomy, group: np.ndarray, cuttable: np.ndarray, paths: Mapping[int, str]
) -> tuple[dict[str, int], np.ndarray]:
    """Returns the groups of each layer, and each group's number, which is their total if it cannot be cut."""
    counts: dict[str, int] = {}
    number = np.full(len(cuttable), -1)
    for product in anatomy.products:
        made = group[product.y.units]
        new = np.unique(made[cuttable[made] & (number[made] < 0)])
        number[new] = sum(counts.values()) + np.arange(len(new))
        if len(new):
            counts[paths[id(product.variable)]] = len(new)
    return counts, np.where(number < 0, sum(counts.values()), number)
