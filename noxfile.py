"""The project's chores: `nox -s lint`, `wheel`, `platforms`, `docs`, `tests`; `nox` does all of these.

Continuous integration runs the same on every system. `nox -s tests -- tests/view -x` hands options to pytest.
"""

import configparser
import os
import re
from pathlib import Path

import nox

nox.options.sessions = ["lint", "wheel", "platforms", "docs", "tests"]
nox.options.default_venv_backend = "uv"  # the second environment with TensorFlow takes seconds, not minutes

ROOT = Path(__file__).parent
DATA = ROOT.parent / "shared" / "data"  # real data, where they lie beside the project
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
TOOLS = nox.project.dependency_groups(PROJECT, "lint")
EXTRAS = "view,tensorboard,dask,lidar,volumes,explore"
LARGEST = 30 << 20  # of a distribution, in bytes: weights that are larger are to be fetched, not shipped


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
    """Builds the wheel, and does the main job and the papers' in a clean environment outside of the clone."""
    folder = Path(session.create_tmp()).resolve()
    session.run("uv", "build", "-q", "--wheel", "--out-dir", str(folder), str(ROOT))
    (built,) = folder.glob("tfxai3d-*.whl")
    session.install(f"tfxai3d[view] @ {built.as_uri()}")
    session.chdir(folder)
    session.run("tfxai3d", "--help")
    session.run("tfxai3d", "p_grad_cam", "--flagfile=p_grad_cam.cfg", "--rotations=20", "--output_dir=out")
    if not Path("out", "chair_0", "heat.png").is_file():
        session.error("the main job drew no picture")
    session.run("tfxai3d", "reproduce", "--output_dir=papers")  # the quick profile, some minutes
    if not Path("papers", "report.html").is_file():
        session.error("there is no report of the papers")


@nox.session
def platforms(session: nox.Session) -> None:
    """Finds wheels of all dependencies, extras included, for every system and Python that is promised."""
    session.install("uv")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    needed = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    wanted = Path(session.create_tmp(), "needed.txt")
    wanted.write_text("\n".join(needed), encoding="utf-8")
    for system in ("x86_64-manylinux_2_35", "windows"):  # Open3D asks for the glibc of Ubuntu 22.04
        for python in ("3.11", "3.12", "3.13"):
            chosen = ("--python-platform", system, "--python-version", python, "--only-binary", ":all:")
            session.run("uv", "pip", "compile", "-q", str(wanted), *chosen, silent=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Builds the documentation site to out/docs and runs its tutorials; a broken link or an error ends it."""
    session.install("-e", f".[{EXTRAS}]", *nox.project.dependency_groups(PROJECT, "docs"))
    run = ("-D", "nb_execution_mode=force")
    session.run("sphinx-build", "-q", "-W", "--keep-going", *run, *session.posargs, "docs", "out/docs")
    if strangers := _loaded_from_elsewhere(ROOT / "out" / "docs"):
        session.error(f"pages need the network: {', '.join(strangers)}")


def _loaded_from_elsewhere(site: Path) -> list[str]:
    """Returns the addresses of scripts, styles and pictures that the pages of a site fetch from elsewhere."""
    fetched = re.compile(
        r"<(?:script|img|iframe)\b[^>]*\bsrc=.(https?:[^\"']+)|<link\b[^>]*\bhref=.(https?:[^\"']+)"
    )
    pages = (page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    return sorted({one or other for page in pages for one, other in fetched.findall(page)})


@nox.session
def release(session: nox.Session) -> None:
    """Builds wheel and sdist to out/dist, and checks what an index would refuse, and their size."""
    session.install("twine")
    folder = ROOT / "out" / "dist"
    session.run("uv", "build", "-q", "--out-dir", str(folder), str(ROOT))
    built = sorted(map(str, folder.glob("tfxai3d-*")))
    session.run("twine", "check", "--strict", *built)
    for path in built:
        if Path(path).stat().st_size > LARGEST:
            session.error(f"{path}: larger than {LARGEST >> 20} MiB")


@nox.session
def tests(session: nox.Session) -> None:
    """Runs the README's test command."""
    session.install("-e", f".[{EXTRAS},test]")
    chosen = session.posargs or ["-n", "2", "--dist", "worksteal"]
    data = os.environ.get("TFXAI3D_DATA") or (str(DATA.resolve()) if DATA.is_dir() else None)
    session.run("python", "-m", "pytest", *chosen, env={"TFXAI3D_DATA": data})
