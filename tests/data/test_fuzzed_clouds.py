"""Damaged files are cut into tiles and written with a column, or are one line; nothing is half-written."""

import signal
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.readers.test_fuzzed_files import KINDS, valid_files
from tfxai3d.data import cut_tiles, open_cloud, takes_column, write_column, writers
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.readers import clouds, lidar
from tfxai3d.errors import UserError

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a clock that interrupts")
SCANS = ["las", "laz", "bin"]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, bytes]]:
    folder = tmp_path_factory.mktemp("valid")
    found = valid_files(folder)
    found["bin"] = ("bin", np.random.default_rng(0).normal(size=(20, 4)).astype("<f4").tobytes())
    try:
        from tests.data.readers.test_lidar import las
    except pytest.skip.Exception:
        return found
    return found | {kind: (kind, las(folder / f"a.{kind}").read_bytes()) for kind in ("las", "laz")}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Readers of LAS are called here, to be quick, with a limit of time as in a process of their own."""

    def call(
        function: Callable[..., Mapping[str, np.ndarray]], path: Any, *arguments: Any, size: int | None = None
    ) -> dict[str, np.ndarray]:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, 2)
            return dict(function(str(path), *arguments))
        except UserError:
            raise
        except Exception as error:
            raise ValueError(str(error)) from error
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def stop(*_: object) -> None:
        raise UserError("takes more than 2 s to read")

    signal.signal(signal.SIGVTALRM, stop)
    in_rust = request.node.callspec.params["kind"] == "laz"  # what takes its process down
    for module in () if in_rust else (lidar, clouds, writers):
        monkeypatch.setattr(module, "call", call)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in a damaged header
        yield


def damaged(raw: bytes, random: np.random.Generator) -> bytes:
    """Returns bytes with some changed, put in, taken out or cut off, mostly near the beginning."""
    changed = bytearray(raw)
    at = int(len(raw) * random.random() ** random.choice([1, 4]))
    match random.integers(5):
        case 0:
            changed[at : at + random.integers(1, 4)] = random.bytes(int(random.integers(1, 4)))
        case 1:
            changed[at] ^= 1 << random.integers(8)
        case 2:
            del changed[at:]
        case 3:
            changed[at:at] = random.bytes(int(random.integers(1, 20)))
        case 4:  # a number becomes a large or a negative one
            digits = [place for place, byte in enumerate(raw) if 48 <= byte <= 57] or [at]
            place = int(random.choice(digits))
            changed[place : place + 1] = [b"999999999", b"-1", b"0", b"1e400", b"nan"][random.integers(5)]
    return bytes(changed)


def attempt(folder: Path, suffix: str, content: bytes) -> None:
    """Cuts a file into tiles and writes it with a column. All but a right answer or a line fails the test."""
    path, new = folder / f"fuzzed.{suffix}", folder / "out" / f"new.{suffix}"
    path.write_bytes(content)
    new.unlink(missing_ok=True)
    message = ""
    try:
        _use(path, new)
    except UserError as error:
        message = str(error)
    if message:
        assert message.startswith((str(path), "tile_size", "voxel_size"))
        assert len(message.splitlines()) == 1
        assert not new.exists()
    if new.parent.exists():
        assert {item.name for item in new.parent.iterdir()} <= {new.name}


def _use(path: Path, new: Path) -> None:
    opened = open_cloud(path)
    count = len(opened.vertices) if isinstance(opened, Mesh) else opened.count
    if not isinstance(opened, Mesh):
        tiles = cut_tiles(opened, 16, voxel_size=0.5, tile_size=3)
        assert all(np.isfinite(tile.inputs).all() for tile in tiles.tiles)
        spread = tiles.spread([np.ones(len(tile.points)) for tile in tiles.tiles])
        assert len(spread) == count
        assert (spread == 1).any()
    if not takes_column(path):
        return
    values = np.arange(count, dtype=np.float32)
    write_column(path, new, values, "weight")
    again = open_cloud(new)
    if not isinstance(again, Mesh):
        *_, (_, last) = again.parts(again.columns[-1:])
        assert again.count == count
        np.testing.assert_array_equal(last[:, -1], values)


@pytest.mark.parametrize("kind", [*KINDS, *SCANS])
@pytest.mark.parametrize("count", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_damaged_clouds(tmp_path: Path, valid: dict[str, tuple[str, bytes]], kind: str, count: int) -> None:
    if kind not in valid:
        pytest.skip("needs laspy")
    suffix, raw = valid[kind]
    tracemalloc.start()
    attempt(tmp_path, suffix, raw)
    random = np.random.default_rng(KINDS.index(kind) if kind in KINDS else 99)
    for _ in range(2 if kind == "laz" else count):
        attempt(tmp_path, suffix, damaged(raw, random))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Bytes: nothing absurd is allocated; LAS is read by a process of its own, whose memory is limited.
    assert most < 1 << 28 or kind in ("las", "laz")
