"""The same surgery on Keras's JAX backend, where the step must be free of side effects."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
@pytest.mark.parametrize(
    ("file", "chosen", "number"),
    [
        (
            "pruning/test_dns",
            "equations and (momentum or adamw) or bit_identical or layer-gradient",
            4,
        ),
        ("pruning/test_regrow", "equations or fade or leave", 4),
        ("conformance/callbacks/test_callbacks", "goes_on_with_the_next or say_how_many", 10),
    ],
)
def test_the_equations_hold_on_jax(file, chosen, number):
    command = [sys.executable, "-m", "pytest", "-q", f"tests/{file}.py", "-k", chosen]
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"{number} passed" in done.stdout
