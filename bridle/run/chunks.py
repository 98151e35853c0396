"""The ring's rows on the disk: chunks of consecutive rows that checkpoints share, so that a save stays cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from bridle.run.arrays import read
from bridle.run.disk import Damaged, Seal, check, read_manifest

_BIG = 32
"""Chunks of more than 1/_BIG of the ring are never merged, so there are about _BIG of them at most."""


class Rows(Protocol):
    """What a checkpoint asks of the ring. Rows are counted from the first one ever added."""

    total: int
    """Rows ever added."""
    capacity: int
    """How many of the last of them are held."""
    whole: dict[str, np.ndarray]
    """Columns that updates write back, so that old rows change too: saved whole each time."""

    def slice(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Rows `first <= t < last`, in order, without the columns of `whole`."""
        ...


class Chunk(NamedTuple):
    """A file of consecutive rows."""

    file: str
    first: int
    last: int
    sha256: str
    size: int


class SavedRows(NamedTuple):
    """The ring's rows in a checkpoint."""

    total: int
    capacity: int
    whole: dict[str, np.ndarray]
    parts: tuple[tuple[Path, Chunk], ...]

    @property
    def chunks(self) -> Iterator[tuple[int, int, dict[str, np.ndarray]]]:
        """(first, last, columns) of each chunk, oldest first, read one at a time; rows that the ring had dropped are left out."""
        for path, chunk in self.parts:
            first = max(chunk.first, self.total - self.capacity)
            columns = read(path, Seal(chunk.sha256, chunk.size))
            yield first, chunk.last, {name: x[first - chunk.first :] for name, x in columns.items()}


class Ring(NamedTuple):
    """How far the ring has come."""

    total: int
    capacity: int


def fresh_rows(chunks: list[Chunk], rows: Rows) -> tuple[int, int, dict[str, np.ndarray]] | None:
    """(first, last, columns) of a chunk to write beside `chunks`; those that it swallows leave the list.

    Small chunks join the new one, as in a binary counter: few files, and O(new rows) per save on average.
    """
    total, capacity = int(rows.total), int(rows.capacity)
    first = max(0, total - capacity, chunks[-1].last if chunks else 0)
    while chunks and first < total and chunks[-1].last - chunks[-1].first <= min(total - first, capacity // _BIG):
        first = max(chunks.pop().first, total - capacity)
    if first >= total:
        return None
    return first, total, {name: np.array(x, order="C") for name, x in rows.slice(first, total).items()}


def reusable(folder: Path, parent: Path | None, total: int, capacity: int) -> list[Chunk]:
    """Chunks of the parent that still hold rows of the ring, as far as they are there without a gap."""
    try:
        saved = read_manifest(parent)["rows"] if parent is not None else None
    except Damaged:
        saved = None
    if not saved or saved["total"] > total:
        return []
    chunks = [chunk for x in saved["chunks"] if (chunk := Chunk(**x)).last > total - capacity]
    for chunk in chunks:
        path = folder / "checkpoints" / "rows" / chunk.file
        if not path.exists() or path.stat().st_size != chunk.size:
            return []
    return chunks


def saved_rows(path: Path, manifest: dict) -> SavedRows | None:
    saved = manifest["rows"]
    if saved is None:
        return None
    chunks = [Chunk(**x) for x in saved["chunks"]]
    parts = tuple((path.parent / "rows" / chunk.file, chunk) for chunk in chunks)
    for file, chunk in parts:
        check(file, Seal(chunk.sha256, chunk.size))
    name = "whole.safetensors"
    whole = read(path / name, Seal(**manifest["files"][name])) if name in manifest["files"] else {}
    return SavedRows(saved["total"], saved["capacity"], whole, parts)
