"""TensorFlow's stateless random numbers without TensorFlow: the same ones for the same seed, int (2,).

The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a
block of four 32-bit words is a hash of its number and a key, so a draw depends on its seed alone.
"""

import math
from collections.abc import Sequence

import numpy as np

_MULTIPLIERS, _WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
_SCRAMBLING_KEY = (0x3EC8F720, 0x02461E29)  # TensorFlow's, for which any seed is as good as another
_ROUNDS, _LOW, _HALF = 10, 0xFFFFFFFF, np.uint64(32)

Seed = Sequence[int] | np.ndarray
Shape = Sequence[int]


def uniform(shape: Shape, seed: Seed, low: float, high: float) -> np.ndarray:
    """Returns numbers evenly from `low` to below `high`, float32, as `tf.random.stateless_uniform` does."""
    smallest, width = np.float32(low), np.float32(high) - np.float32(low)
    return _fractions(_words(seed, math.prod(shape))).reshape(shape) * width + smallest


def integers(shape: Shape, seed: Seed, low: int, high: int) -> np.ndarray:
    """Returns integers from `low` to below `high`, int32, as `tf.random.stateless_uniform` does."""
    words = _words(seed, math.prod(shape)).reshape(shape)
    return (words % np.uint32(high - low)).astype(np.int32) + np.int32(low)


def normal(shape: Shape, seed: Seed) -> np.ndarray:
    """Returns standard normal numbers, float32, as `tf.random.stateless_normal` does (Box and Muller)."""
    count = math.prod(shape)
    pairs = _fractions(_words(seed, count + count % 2)).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log(np.maximum(pairs[:, 0], np.float32(1e-7))))
    angle = np.float32(2 * math.pi) * pairs[:, 1]
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1).ravel()[:count].reshape(shape)


def permutation(count: int, seed: Seed) -> np.ndarray:
    """Returns 0 to `count` - 1 in the order of `tf.random.experimental.stateless_shuffle` (Fisher, Yates)."""
    order, words = list(range(count)), _words(seed, count).tolist()
    for i in range(count - 1):
        j = i + words[i] % (count - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int32)


def _words(seed: Seed, count: int) -> np.ndarray:
    """Returns the first `count` words, uint32, of a seed."""
    numbers = [int(number) & 0xFFFFFFFFFFFFFFFF for number in seed]
    halves = [half for number in numbers for half in (number & _LOW, number >> 32)]
    key0, key1, third, fourth = _blocks(np.array([halves], np.uint64), _SCRAMBLING_KEY)[0].tolist()
    blocks = np.empty((-(-count // 4), 4), np.uint64)
    blocks[:, 0], blocks[:, 1] = np.arange(len(blocks)), 0
    blocks[:, 2:] = third, fourth
    return _blocks(blocks, (key0, key1)).ravel()[:count]


def _blocks(counters: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Returns the hashes of counters (M,4), uint64 that hold 32 bits each: uint32 (M,4)."""
    a, b, c, d = counters.T
    for i in range(_ROUNDS):
        keys = [np.uint64((k + i * step) & _LOW) for k, step in zip(key, _WEYL, strict=True)]
        left, right = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        a, c = (right >> _HALF) ^ b ^ keys[0], (left >> _HALF) ^ d ^ keys[1]
        b, d = right & np.uint64(_LOW), left & np.uint64(_LOW)
    return np.stack([a, b, c, d], axis=-1).astype(np.uint32)


def _fractions(words: np.ndarray) -> np.ndarray:
    """Returns float32 in [0, 1) whose mantissas are the last 23 bits of the words."""
    return ((words & np.uint32(0x7FFFFF)) | np.uint32(127 << 23)).view(np.float32) - np.float32(1)
