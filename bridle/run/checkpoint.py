"""Checkpoints: everything a run needs to go on, written atomically, checked when read, with the ring's rows in shared chunks.

`docs/run-folder.md` describes the files. Nothing here unpickles anything: arrays are safetensors, the rest is JSON.
"""

from __future__ import annotations

import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bridle.run.arrays import flatten, plain, read, restore, write
from bridle.run.chunks import Chunk, Ring, Rows, SavedRows, fresh_rows, reusable, saved_rows
from bridle.run.disk import (
    Damaged,
    Seal,
    check,
    full_disk_told,
    read_manifest,
    sweep,
    sync_folder,
    temporary,
    write_manifest,
)


class Loaded(NamedTuple):
    """A checkpoint that was read and checked."""

    step: int
    tree: Any
    facts: dict
    rows: SavedRows | None
    path: Path
    """Hand it to `Saver(parent=...)`, so that the next save adds to these rows."""
    newest: Path | None
    """The last one that was saved then, whole or not: whether another process went on meanwhile."""


class Saver:
    """Saves one run's checkpoints: `save` copies what it is given and writes it in a thread, one at a time.

    `parent` is the checkpoint that the run goes on from; only its rows are built upon, so rows that another
    continuation of the run left on the disk are never mixed in.
    """

    def __init__(self, folder: Path, keep: int = 3, parent: Path | None = None, background: bool = True):
        self.folder, self.keep, self.parent, self.background = Path(folder), keep, parent, background
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(self, step: int, tree: Any, facts: dict, rows: Rows | None = None) -> None:
        """Save arrays, facts (JSON) and the ring's new rows; an error of the save before this one is raised here."""
        self.wait()
        snapshot = _snapshot(self.folder, step, tree, facts, rows, self.parent)
        if not self.background:
            self.parent = _write(self.folder, snapshot, self.keep)
            return
        self._thread = threading.Thread(target=self._run, args=(snapshot,), name=f"checkpoint-{step}")
        self._thread.start()

    def wait(self) -> Path | None:
        """Wait until the last save is on the disk; its folder. Raises what went wrong there."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self.parent

    def _run(self, snapshot: _Snapshot) -> None:
        try:
            self.parent = _write(self.folder, snapshot, self.keep)
        except BaseException as error:  # noqa: BLE001 (raised again by `wait`)
            self._error = error


def save(
    folder: Path, step: int, tree: Any, facts: dict, rows: Rows | None = None, keep: int = 3, parent: Path | None = None
) -> Path:
    """Save one checkpoint now, and return its folder. Without `parent` every row of the ring is written."""
    folder = Path(folder)
    return _write(folder, _snapshot(folder, step, tree, facts, rows, parent), keep)


def load(
    folder: Path, like: Any, step: int | None = None, say: Callable[[str], Any] = warnings.warn, with_rows: bool = True
) -> Loaded:
    """The newest checkpoint of a run folder that is whole (or the one at `step`), as a tree like `like`.

    If `like` is None, the tree is the named arrays, to be taken apart by `arrays.below`.
    A damaged one is reported through `say` and the one before it is taken. `OSError` if none is left; `ValueError` if it
    was made by a newer bridle or holds another tree (its first differing leaf is named).
    """
    last = newest(Path(folder))
    for path, manifest in _newest_first(Path(folder), step, say):
        try:
            arrays = read(path / "arrays.safetensors", _seal(manifest, "arrays.safetensors"))
            rows = saved_rows(path, manifest) if with_rows else None
        except Damaged as error:
            say(f"{error}; going back to the checkpoint before it")
            continue
        tree = arrays if like is None else restore(like, arrays)
        return Loaded(manifest["step"], tree, manifest["facts"], rows, path, last)
    raise _none_left(Path(folder), step)


def newest(folder: Path) -> Path | None:
    """Where the checkpoint lies that was saved last, as far as it can be listed."""
    found = _newest_first(Path(folder), None, lambda text: None)
    return max(found, key=lambda one: one[1]["serial"], default=(None, None))[0]


def load_arrays(
    folder: Path, step: int | None = None, say: Callable[[str], Any] = warnings.warn
) -> tuple[dict[str, np.ndarray], dict]:
    """The named arrays and the facts of the newest whole checkpoint; see `arrays.below` and `arrays.restore`."""
    for path, manifest in _newest_first(Path(folder), step, say):
        try:
            return read(path / "arrays.safetensors", _seal(manifest, "arrays.safetensors")), manifest["facts"]
        except Damaged as error:
            say(f"{error}; going back to the checkpoint before it")
    raise _none_left(Path(folder), step)


def steps(folder: Path) -> list[int]:
    """Steps of the checkpoints that can be listed, oldest first; their arrays are not checked."""
    return [manifest["step"] for _, manifest in reversed(list(_newest_first(Path(folder), None, lambda text: None)))]


class _Snapshot(NamedTuple):
    """Copies of all that one save writes."""

    step: int
    arrays: dict[str, np.ndarray]
    facts: dict
    ring: Ring | None
    chunks: tuple[Chunk, ...]
    """On the disk already."""
    fresh: tuple[int, int, dict[str, np.ndarray]] | None
    """(first, last, columns) of a chunk to write."""
    whole: dict[str, np.ndarray]


def _snapshot(folder, step, tree, facts, rows, parent) -> _Snapshot:
    arrays, facts = flatten(tree), plain(facts)
    if rows is None:
        return _Snapshot(int(step), arrays, facts, None, (), None, {})
    total, capacity = int(rows.total), int(rows.capacity)
    chunks = reusable(folder, parent, total, capacity)
    fresh = fresh_rows(chunks, rows)
    whole = {name: np.array(x, order="C") for name, x in rows.whole.items()}
    return _Snapshot(int(step), arrays, facts, Ring(total, capacity), tuple(chunks), fresh, whole)


def _write(folder: Path, snapshot: _Snapshot, keep: int) -> Path:
    """Write aside, sync, check, rename; only then drop what `keep` no longer covers."""
    home = folder / "checkpoints"
    (home / "rows").mkdir(parents=True, exist_ok=True)
    sweep(home)
    with full_disk_told(home, snapshot.step), temporary(home) as temp:
        path = _commit(home, temp, snapshot)
    _prune(home, keep)
    return path


def _commit(home: Path, temp: Path, snapshot: _Snapshot) -> Path:
    parts = {"arrays.safetensors": snapshot.arrays}
    if snapshot.whole:
        parts["whole.safetensors"] = snapshot.whole
    files = {name: write(temp / name, arrays) for name, arrays in parts.items()}
    chunks, fresh = list(snapshot.chunks), None
    if snapshot.fresh is not None:
        first, last, columns = snapshot.fresh
        seal = write(temp / "fresh", columns)
        check(temp / "fresh", seal)
        # The hash in the name keeps rows of another continuation of the run apart from these.
        fresh = Chunk(f"rows-{first:09d}-{last:09d}-{seal.sha256[:12]}.safetensors", first, last, *seal)
        chunks.append(fresh)
    for name, seal in files.items():
        check(temp / name, seal)
    body = {
        "step": snapshot.step,
        # Which was saved later: steps cannot tell, since a run may go on from an older checkpoint.
        "serial": 1 + max((m["serial"] for _, m in _listed(home) if isinstance(m, dict)), default=0),
        "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "files": {name: seal._asdict() for name, seal in files.items()},
        "facts": snapshot.facts,
        "rows": snapshot.ring and {**snapshot.ring._asdict(), "chunks": [chunk._asdict() for chunk in chunks]},
    }
    write_manifest(temp / "manifest.json", body)
    if fresh is not None:
        os.replace(temp / "fresh", home / "rows" / fresh.file)
        sync_folder(home / "rows")
    sync_folder(temp)
    name, copy = f"step-{snapshot.step:09d}", 1
    while (path := home / (name if copy == 1 else f"{name}-{copy}")).exists():
        copy += 1
    os.rename(temp, path)
    sync_folder(home)
    return path


def _prune(home: Path, keep: int) -> None:
    """Keep the last `keep` checkpoints that can be listed, and the chunks that they need."""
    found = list(_listed(home))
    good = [path for _, path in sorted((m["serial"], path) for path, m in found if isinstance(m, dict))]
    bad = [path for path, m in found if isinstance(m, Damaged)] if len(good) >= keep else []
    for path in good[:-keep] + bad:
        with temporary(home) as grave:  # so that a kill in the middle leaves no half of a checkpoint
            os.rename(path, grave / path.name)
    left = [m for _, m in _listed(home)]
    if all(isinstance(m, dict) for m in left):  # else nobody knows which chunks are needed
        needed = {chunk["file"] for m in left if m["rows"] for chunk in m["rows"]["chunks"]}
        for path in (home / "rows").glob("rows-*.safetensors"):
            if path.name not in needed:
                path.unlink(missing_ok=True)


def _seal(manifest: dict, name: str) -> Seal:
    return Seal(**manifest["files"][name])


def _listed(home: Path) -> Iterator[tuple[Path, dict | OSError | ValueError]]:
    """Every checkpoint folder and its manifest, or why it has none."""
    for path in sorted(home.glob("step-*")):
        try:
            yield path, read_manifest(path)
        except (Damaged, ValueError) as error:
            yield path, error


def _newest_first(folder: Path, step: int | None, say: Callable[[str], Any]) -> Iterator[tuple[Path, dict]]:
    """Checkpoints to try in turn: first the line of the last save, then what other continuations left."""
    home = folder / "checkpoints"
    if home.is_dir():
        sweep(home)
    found = []
    for path, manifest in _listed(home):
        if step is not None and int(path.name.split("-")[1]) != step:
            continue
        if isinstance(manifest, ValueError):
            raise manifest
        if isinstance(manifest, Damaged):
            say(f"{manifest}; it is passed over")
        else:
            found.append((path, manifest))
    line, others, oldest = [], [], math.inf
    for path, manifest in sorted(found, key=lambda x: -x[1]["serial"]):
        (line if manifest["step"] <= oldest else others).append((path, manifest))
        oldest = min(oldest, manifest["step"])
    yield from line + others


def _none_left(folder: Path, step: int | None) -> OSError:
    there = ", ".join(f"{x:,}" for x in steps(folder)) or "none"
    if not list(folder.glob("checkpoints/step-*")):
        return FileNotFoundError(
            f"{folder} holds no checkpoint: nothing was saved there; `bridle resume` begins a run that has no rows of metrics "
            "either; any other is to be trained anew, in another folder"
        )
    if step is not None:
        return FileNotFoundError(f"{folder} holds no whole checkpoint at step {step:,}; listed are those at {there}")
    return Damaged(
        f"no checkpoint of {folder} is whole (listed: {there}): restore the folder from a copy, start the run anew, "
        "or use the actor in best/ for evaluation"
    )
