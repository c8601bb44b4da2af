"""The papers again: every table and figure to be reproduced, beside what was published."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.papers.experiments import EXPERIMENTS as EXPERIMENTS
    from tfxai3d.papers.experiments import reproduce as reproduce
    from tfxai3d.papers.finding import Finding as Finding
    from tfxai3d.papers.setting import FULL as FULL
    from tfxai3d.papers.setting import QUICK as QUICK
    from tfxai3d.papers.setting import Setting as Setting

__getattr__, __dir__ = lazy(__name__)
