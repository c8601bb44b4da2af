"""A page to play with: what decided, and what is left of it as points go. Needs the extra `explore`."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.explorer.exhibits import Exhibit as Exhibit
    from tfxai3d.explorer.exhibits import Exhibits as Exhibits
    from tfxai3d.explorer.exhibits import Question as Question
    from tfxai3d.explorer.page import Start as Start
    from tfxai3d.explorer.server import HOST as HOST
    from tfxai3d.explorer.server import application as application
    from tfxai3d.explorer.server import listen as listen
    from tfxai3d.explorer.server import serve as serve
    from tfxai3d.explorer.workbench import Workbench as Workbench

__getattr__, __dir__ = lazy(__name__)
