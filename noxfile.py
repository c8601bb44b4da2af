"""The project's chores in a few words: `nox -s lint`, `nox -s wheel`, `nox -s tests`; `nox` does all three.

Continuous integration runs the same on every system. `nox -s tests -- tests/view -x` hands options to pytest.
"""

import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "wheel", "tests"]
nox.options.default_venv_backend = "uv"  # the second environment with TensorFlow takes seconds, not minutes

ROOT = Path(__file__).parent
DATA = ROOT.parent / "shared" / "data"  # real data, where they lie beside the project
TOOLS = nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), "lint")


@nox.session
def lint(session: nox.Session) -> None:
    """Checks format, style, types, and that imports go down the rooms."""
    session.install(*TOOLS)
    session.install("--no-deps", "-e", ".")  # none of the checks imports what the package needs
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def wheel(session: nox.Session) -> None:
    """Builds the wheel, installs it into a clean environment, and does the main job outside of the clone."""
    folder = Path(session.create_tmp()).resolve()
    session.run("uv", "build", "-q", "--wheel", "--out-dir", str(folder), str(ROOT))
    (built,) = folder.glob("tfxai3d-*.whl")
    session.install(f"tfxai3d[view] @ {built.as_uri()}")
    session.chdir(folder)
    session.run("tfxai3d", "--help")
    session.run("tfxai3d", "p_grad_cam", "--flagfile=p_grad_cam.cfg", "--rotations=20", "--output_dir=out")
    if not Path("out", "chair_0", "heat.png").is_file():
        session.error("the main job drew no picture")


@nox.session
def tests(session: nox.Session) -> None:
    """Runs the README's test command."""
    session.install("-e", ".[view,tensorboard,beam,lidar,volumes,test]")
    chosen = session.posargs or ["-n", "2", "--dist", "worksteal"]
    data = os.environ.get("TFXAI3D_DATA") or (str(DATA.resolve()) if DATA.is_dir() else None)
    session.run("python", "-m", "pytest", *chosen, env={"TFXAI3D_DATA": data})
