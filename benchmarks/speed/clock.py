"""The processor's time that something takes."""

import time
from collections.abc import Callable
from typing import Any


def cpu_seconds(run: Callable[[], Any]) -> float:
    """Returns the seconds of the processor, of this process and all its threads, that a call takes."""
    began = time.process_time()
    run()
    return time.process_time() - began
