"""Whether clouds that are smaller than a network takes can be filled up with copies of a point."""

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network


def check_copies(network: Network, inputs: np.ndarray) -> None:
    """Checks that smaller clouds than the network takes can be filled up: a max does not see copies.

    Raises:
        UserError: If it makes a difference of which point they are.
    """
    if network.size in (None, inputs.shape[1]) or network.reading.sees_no_copies:
        return
    cloud = np.asarray(inputs[:1], network.dtype)
    missing = int(network.size or 0) - cloud.shape[1]
    ends = [np.repeat(cloud[:, [i]], missing, axis=1) for i in (0, -1)]
    first, last = (np.asarray(network(np.concatenate([cloud, end], axis=1))) for end in ends)
    if not np.allclose(first, last, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(first).max()))):
        raise UserError(
            f"{network.name} takes {network.size} points, and these clouds have {cloud.shape[1]}: filled up "
            "with copies of a point it answers otherwise, as no max over the points does"
        )
    network.reading.sees_no_copies = True
