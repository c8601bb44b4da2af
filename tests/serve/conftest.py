"""The SavedModel that the hostile ones are made of."""

import pytest

from tests.serve import hostile


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "1"
    hostile.save_small(folder)
    return folder


@pytest.fixture
def edited(small, tmp_path):
    return hostile.Edited(small, tmp_path / "hostile")
