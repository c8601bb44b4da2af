"""What is said where a model's own graph fails."""

import re

from tfxai3d.explain.engine.network import Network


def failure(network: Network, shape: tuple[int, ...], error: Exception) -> str:
    """Returns in one line that the network fails on a batch of this shape, and TensorFlow's reason."""
    text = re.sub(r"\x1b\[[0-9;]*m|\.call\(\)\.", "", str(getattr(error, "message", error)))
    reason = " ".join(text.split("Arguments received")[0].split()).partition(" [[{{")[0]
    return (
        f"{network.name} fails on a batch of {shape[0]} examples {shape[1:]} ({reason[:200]}); does it take "
        "a fixed number of them, or of points?"
    )
