"""Videos of run folders as data inside a page, as many as it has room for."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from bridle.study.series import Curve

KINDS = {".mp4": "video/mp4", ".gif": "image/gif"}
"""Media types of what `bridle eval --video` writes, by suffix."""


class Video(NamedTuple):
    """One that the page holds."""

    curve: Curve
    path: Path
    kind: str
    """Its media type."""
    data: str
    """Base64."""


def videos(curves: Iterable[Curve], megabytes: float) -> tuple[list[Video], list[str]]:
    """The videos of the runs, the newest of each run first, up to `megabytes` in all; and why others are left out."""
    room, taken, left = megabytes * 1e6, [], []
    each = [[(curve, path) for path in _of(curve)] for curve in curves]
    for curve, path in (one for turn in zip_longest(*each) for one in turn if one is not None):
        size = path.stat().st_size
        if size == 0:
            left.append(f"{path}: it is empty")
        elif size > room:
            left.append(f"{path}: {size / 1e6:.1f} MB; {room / 1e6:.1f} of {megabytes:g} MB were free (--videos MB)")
        else:
            room -= size
            taken.append(Video(curve, path, KINDS[path.suffix.lower()], base64.b64encode(path.read_bytes()).decode()))
    return taken, left


def _of(curve: Curve) -> list[Path]:
    """The videos of a run, the newest first."""
    found = [path for path in (curve.path / "videos").glob("*") if path.suffix.lower() in KINDS]
    return sorted(found, key=lambda path: (-path.stat().st_mtime_ns, path.name))
