"""The blocks of code and the commands in the pages, and what their markers say."""

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TUTORIALS = ROOT / "docs" / "tutorials"  # notebooks: the build of the site runs every cell
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if page.parent != _TUTORIALS
)
_MARK = re.compile(r"<!-- (not run|run by): (.+) -->")
_INLINE = re.compile(r"`((?:python apps/\w+\.py|tfxai3d \w+) [^`]*--[^`]*)`")
_PROGRAM = re.compile(r"(?:python apps/(\w+)\.py|tfxai3d (\w+)) (.*)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced or an indented block of a page, and the marker above it: `<!-- not run: why -->`."""

    page: str
    line: int
    language: str  # of a fence; "" of an indented block
    text: str
    mark: str | None  # "not run" or "run by"
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Returns what a page shows as code, but for directives of the site and for plain text."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found, mark, start = [], None, 0
    while start < len(lines):
        line, end = lines[start], start + 1
        if line.startswith("```"):
            end = next(i for i in range(start + 1, len(lines)) if lines[i].startswith("```")) + 1
            text = "\n".join(lines[start + 1 : end - 1])
        elif line.startswith("    ") and not (start and lines[start - 1].strip()):
            while end < len(lines) and lines[end].startswith("    "):
                end += 1
            text = "\n".join(line[4:] for line in lines[start:end])
        elif line.strip():
            mark, start = _MARK.fullmatch(line), end
            continue
        else:
            start = end
            continue
        language = line.strip().removeprefix("```") if line.startswith("```") else ""
        if not language.startswith("{") and language != "text":
            found.append(Block(page, start + 1, language, text, *(mark.groups() if mark else (None, ""))))
        mark, start = None, end
    return found


def programs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Returns the programs of this package that commands call, and their flags."""
    for command in re.sub(r"\\\n\s*", " ", text).splitlines():
        if found := _PROGRAM.fullmatch(command.split(" && ")[-1].partition("  #")[0].strip()):
            yield found[1] or found[2], shlex.split(found[3])


def inline(page: str) -> list[tuple[str, list[str]]]:
    """Returns the programs with flags that the sentences of a page call."""
    text = (ROOT / page).read_text(encoding="utf-8")
    calls = [" ".join(call.split()) for call in _INLINE.findall(text)]
    return [program for call in calls for program in programs(call) if "..." not in call]
