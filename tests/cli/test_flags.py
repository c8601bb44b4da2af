"""The vocabulary of flags that the apps share."""

import pytest
from absl import flags

from tfxai3d import cli


def test_an_app_takes_groups_and_names_with_its_own_defaults(defined):
    defined(cli.OBJECTS, cli.ROTATIONS, rotations=7, model="m", methods=["a", "b"], output_dir="out/x")
    values = flags.FLAGS
    values(["app", "--index=1,2", "--seed=4"])
    assert (values.rotations, values.axes, values.model, values.methods) == (7, "xyz", "m", ["a", "b"])
    assert (values.index, values.seed, values.input) == (["1", "2"], 4, None)


def test_flags_belong_to_the_app_and_not_to_the_vocabulary(defined):
    defined(cli.TRAINING)
    assert {flag.name for flag in flags.FLAGS.get_flags_for_module(__name__)} == set(cli.TRAINING)
    assert flags.FLAGS["batch_size"].help == "The most examples that the network sees at once."


def test_a_number_out_of_range_is_refused(defined):
    defined(seed=0, density=0.05)
    for argument in ("--seed=-1", "--density=1.5"):
        with pytest.raises(flags.IllegalFlagValueError):
            flags.FLAGS(["app", argument])
