import pytest
from absl import flags

from tfxai3d import cli


@pytest.fixture
def defined():
    """Defines flags for this module, which lie in a set of their own until the test ends."""
    before = set(flags.FLAGS)
    yield cli.define_flags
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)
