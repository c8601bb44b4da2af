"""Reads what a page of `tfxai3d.view` holds, as its viewer does."""

import base64
import json
import re
import zlib

import numpy as np

EVIL = "</script><script>document.title='HACKED'</script><img src=x>$_{"
"""A name that no page and no picture may take for more than a name."""
_KINDS = {
    "centres": ("<f4", 3), "sizes": ("<f4", None), "values": ("<f4", None), "colors": ("u1", 3),
    "goes": ("<i4", None),
}  # fmt: skip


def data_of(page):
    """Returns the data of a page, as text."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


def unpacked(text, kind):
    """Returns an array of a page as numbers of a NumPy kind."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)


def cells_of(page):
    """Returns the cells of a page, their arrays unpacked."""
    cells = data_of(page)["cells"]
    for cell in cells:
        for name, (kind, width) in ({**_KINDS, "places": ("<i4", cell["axes"])}).items():
            if name in cell:
                flat = unpacked(cell[name], kind)
                cell[name] = flat.reshape(-1, width) if width else flat
    return cells
