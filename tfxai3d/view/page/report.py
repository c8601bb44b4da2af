"""A report as one HTML page: texts, tables and pictures, which lie in the page itself."""

import base64
import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path

from tfxai3d.storage import AnyPath, write_text

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1rem auto 3rem; max-width: 70rem; padding: 0 1rem; color: #222; background: #fff;
  font: 1rem/1.45 system-ui, "Segoe UI", sans-serif; overflow-wrap: anywhere }}
h1 {{ font-size: 1.6rem }}
h2 {{ font-size: 1.2rem; margin-top: 2rem; border-top: 1px solid #ddd; padding-top: 1rem }}
div {{ overflow-x: auto }} table {{ border-collapse: collapse; font-size: .85rem; overflow-wrap: normal }}
td, th {{ padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap }}
td:first-child, th:first-child {{ text-align: left; position: sticky; left: 0; background: #fff }}
tr:hover td {{ background: #f4f6fa }} img {{ max-width: 100%; height: auto; margin: .5rem 0 }}
figcaption {{ color: #666; font-size: .9rem }} figure {{ margin: 1rem 0 }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a report, in this order.

    Attributes:
        title: Its heading.
        texts: Paragraphs in plain text.
        head: Titles of the table's columns, if it has a table.
        rows: Its cells.
        pictures: PNG files, each with what stands below it; they must exist.
        links: Pages beside the report, each with what it is called.
    """

    title: str
    texts: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    pictures: Sequence[tuple[AnyPath, str]] = ()
    links: Sequence[tuple[str, str]] = ()


def write_report(path: AnyPath, title: str, sections: Sequence[Section]) -> None:
    """Writes a report as one self-contained page that needs neither scripts nor network.

    Args:
        path: The HTML file.
        title: The title in plain text.
        sections: Its parts; whatever their texts hold stays text.
    """
    body = "\n".join(_section(section) for section in sections)
    write_text(path, _PAGE.format(title=html.escape(title), body=body))


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(text)}</p>" for text in section.texts]
    if section.head:
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in section.head)
        rows = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in section.rows)
        lines = "\n".join(f"<tr>{row}</tr>" for row in rows)
        parts.append(f"<div><table><thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>")
    for picture, caption in section.pictures:
        data = base64.b64encode(Path(picture).read_bytes()).decode("ascii")
        text = html.escape(caption)
        image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
        parts.append(f"<figure>{image}<figcaption>{text}</figcaption></figure>")
    parts += [f'<p><a href="{html.escape(link)}">{html.escape(name)}</a></p>' for link, name in section.links]
    return "\n".join(parts)
