import pytest

from tfxai3d.errors import UserError
from tfxai3d.features import unit_numbers

NAMES = ("chair", "cup", "7")


def test_units_by_name_and_by_number():
    assert unit_numbers(["cup", "0", "12", "7"], NAMES) == [1, 0, 12, 2]
    assert unit_numbers(None, NAMES) == [0, 1, 2]
    assert unit_numbers(None) == list(range(8))


@pytest.mark.parametrize(
    ("units", "names", "message"),
    [
        ([], NAMES, "names no unit"),
        (["spoon"], NAMES, "'spoon' is no unit; give the classes chair, cup, 7"),
        (["-1"], (), "'-1' is no unit; give numbers from 0"),
    ],
)
def test_what_is_no_unit(units, names, message):
    with pytest.raises(UserError, match=message):
        unit_numbers(units, names)
