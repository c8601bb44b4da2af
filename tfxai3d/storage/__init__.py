"""Files: written whole or not at all, read without belief. Imports no TensorFlow and has no opinion."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.storage.leftovers import scratch_folder as scratch_folder
    from tfxai3d.storage.npz import open_npz as open_npz
    from tfxai3d.storage.npz import write_npz as write_npz
    from tfxai3d.storage.settings import read_run as read_run
    from tfxai3d.storage.settings import run_folder as run_folder
    from tfxai3d.storage.settings import write_facts as write_facts
    from tfxai3d.storage.settings import write_run as write_run
    from tfxai3d.storage.tables import markdown_table as markdown_table
    from tfxai3d.storage.tables import write_csv as write_csv
    from tfxai3d.storage.writing import AnyPath as AnyPath
    from tfxai3d.storage.writing import atomic_folder as atomic_folder
    from tfxai3d.storage.writing import atomic_path as atomic_path
    from tfxai3d.storage.writing import file_name as file_name
    from tfxai3d.storage.writing import unique_name as unique_name
    from tfxai3d.storage.writing import write_json as write_json
    from tfxai3d.storage.writing import write_text as write_text

__getattr__, __dir__ = lazy(__name__)
