"""A bar on the terminal that moves with a compiled loop."""

import tensorflow as tf
from tqdm import tqdm


class Progress:
    """Shows how much of a loop inside a `tf.function` is done, where the output is a terminal.

    Args:
        title: What is written before the bar.
    """

    def __init__(self, title: str):
        self._title, self._bar = title, tqdm(disable=True)

    def __call__(self, done: tf.Tensor, total: int | tf.Tensor) -> None:
        """Moves the bar; to be called from within the loop."""
        tf.numpy_function(self._show, [done, total], [])

    def _show(self, done: int, total: int) -> None:
        if done == 0:
            self._bar.close()
            self._bar = tqdm(total=int(total), desc=self._title, unit="pass", disable=None, leave=False)
        self._bar.update(int(done) - self._bar.n)
