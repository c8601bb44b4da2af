import pytest

from tfxai3d.errors import UserError
from tfxai3d.features import unit_numbers
from tfxai3d.features.units import checked

NAMES = ("chair", "cup", "7")


def test_units_by_name_and_by_number():
    assert unit_numbers(["cup", "0", "12", "7"], NAMES) == [1, 0, 12, 2]
    assert unit_numbers(None, NAMES) is None
    assert checked(None, 3, "layer").tolist() == [0, 1, 2]
    assert checked(None, 99, "layer").tolist() == list(range(8))


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
