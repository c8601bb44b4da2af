"""What the apps share: one-line errors, flags, the objects that flags ask for."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.cli.app import check_outputs as check_outputs
    from tfxai3d.cli.app import load_keras as load_keras
    from tfxai3d.cli.app import load_tensorflow as load_tensorflow
    from tfxai3d.cli.app import quiet as quiet
    from tfxai3d.cli.app import run as run
    from tfxai3d.cli.clouds import write_clouds as write_clouds
    from tfxai3d.cli.exhibits import EmbeddedAndFiles as EmbeddedAndFiles
    from tfxai3d.cli.files import indices as indices
    from tfxai3d.cli.fitting import Object as Object
    from tfxai3d.cli.fitting import features as features
    from tfxai3d.cli.fitting import fitted as fitted
    from tfxai3d.cli.fitting import num_points as num_points
    from tfxai3d.cli.fitting import upright as upright
    from tfxai3d.cli.fitting import with_unique_names as with_unique_names
    from tfxai3d.cli.flags import GRIDS as GRIDS
    from tfxai3d.cli.flags import MODEL as MODEL
    from tfxai3d.cli.flags import OBJECTS as OBJECTS
    from tfxai3d.cli.flags import PERTURBATION as PERTURBATION
    from tfxai3d.cli.flags import ROTATIONS as ROTATIONS
    from tfxai3d.cli.flags import TRAINING as TRAINING
    from tfxai3d.cli.flags import define_flags as define_flags
    from tfxai3d.cli.flags import from_flags as from_flags
    from tfxai3d.cli.flags import given as given
    from tfxai3d.cli.flags import rotation_test as rotation_test
    from tfxai3d.cli.grids import grid_form as grid_form
    from tfxai3d.cli.mistakes import find_mistakes as find_mistakes
    from tfxai3d.cli.models import create_explainer as create_explainer
    from tfxai3d.cli.models import load_model as load_model
    from tfxai3d.cli.models import load_network as load_network
    from tfxai3d.cli.objects import check_labels as check_labels
    from tfxai3d.cli.objects import find_objects as find_objects
    from tfxai3d.cli.objects import open_labelled as open_labelled
    from tfxai3d.cli.objects import open_split as open_split
    from tfxai3d.cli.objects import open_splits as open_splits
    from tfxai3d.cli.objects import open_validation as open_validation
    from tfxai3d.cli.objects import turned as turned
    from tfxai3d.cli.processes import spread as spread
    from tfxai3d.cli.report import changed_flags as changed_flags
    from tfxai3d.cli.report import print_facts as print_facts
    from tfxai3d.cli.report import print_row as print_row
    from tfxai3d.cli.report import print_steps as print_steps
    from tfxai3d.cli.report import question as question
    from tfxai3d.cli.report import remove_pictures as remove_pictures
    from tfxai3d.cli.report import write_drop_run as write_drop_run
    from tfxai3d.cli.report import write_report as write_report
    from tfxai3d.cli.scans import in_frame as in_frame
    from tfxai3d.cli.scans import window as window
    from tfxai3d.cli.scans import write_explanations as write_explanations
    from tfxai3d.cli.targets import class_numbers as class_numbers
    from tfxai3d.cli.targets import named_target as named_target

__getattr__, __dir__ = lazy(__name__)
