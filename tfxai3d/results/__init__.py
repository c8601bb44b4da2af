"""What was found, and its file. Imports no TensorFlow."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.results.drop_table import DropRun as DropRun
    from tfxai3d.results.drop_table import DropStep as DropStep
    from tfxai3d.results.drop_table import DropTable as DropTable
    from tfxai3d.results.explanation import Explanation as Explanation
    from tfxai3d.results.visualization import Visualization as Visualization

__getattr__, __dir__ = lazy(__name__)
