"""What the apps share: one-line errors, flags, the objects that flags ask for."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.cli.app import changed_flags as changed_flags
    from tfxai3d.cli.app import check_output_dir as check_output_dir
    from tfxai3d.cli.app import check_package as check_package
    from tfxai3d.cli.app import keep_settings as keep_settings
    from tfxai3d.cli.app import load_tensorflow as load_tensorflow
    from tfxai3d.cli.app import print_row as print_row
    from tfxai3d.cli.app import run as run
    from tfxai3d.cli.app import write_report as write_report
    from tfxai3d.cli.flags import OBJECTS as OBJECTS
    from tfxai3d.cli.flags import ROTATIONS as ROTATIONS
    from tfxai3d.cli.flags import TRAINING as TRAINING
    from tfxai3d.cli.flags import define_flags as define_flags
    from tfxai3d.cli.recipes import from_flags as from_flags
    from tfxai3d.cli.recipes import open_splits as open_splits

__getattr__, __dir__ = lazy(__name__)
