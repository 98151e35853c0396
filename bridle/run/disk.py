"""Writing that survives a kill: sealed files, folders written aside, manifests that check themselves."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bridle

FORMAT = 1
"""Version of the layout; raised when an older bridle could not read what this one writes."""
_WRITING: set[str] = set()
"""Temporary folders that this process is writing now."""


class Seal(NamedTuple):
    """What a file must be to be believed."""

    sha256: str
    size: int
    """bytes."""


class Damaged(OSError):
    """A saved file is missing, cut short or not what was written; a checkpoint before it may be whole."""


def write_bytes(path: Path, *parts) -> Seal:
    """Write a new file, synced to disk."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += memoryview(part).nbytes
        file.flush()
        os.fsync(file.fileno())
    return Seal(digest.hexdigest(), size)


def replace_text(path: Path, text: str) -> None:
    """Write a text file so that the old one or the new one is there at every moment."""
    aside = path.with_name(f".{path.name}.new")
    write_bytes(aside, text.encode())
    os.replace(aside, path)
    sync_folder(path.parent)


def check(path: Path, seal: Seal) -> None:
    """Raise `Damaged` unless the file is what was written."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest() if size == seal.size else ""
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror or error})") from error
    if digest != seal.sha256:
        why = "its checksum is wrong" if size == seal.size else f"it has {size} bytes instead of {seal.size}"
        raise Damaged(f"{path} is damaged: {why}")


def sync_folder(path: Path) -> None:
    """Make renames and new names in a folder last (POSIX; elsewhere the system does it by itself)."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def temporary(home: Path) -> Iterator[Path]:
    """A folder beside the checkpoints whose name tells who writes it."""
    path = home / f".tmp-{os.getpid()}@{socket.gethostname()}@{time.time_ns()}"
    _WRITING.add(path.name)
    try:
        path.mkdir()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _WRITING.discard(path.name)


def sweep(home: Path) -> None:
    """Remove what killed processes left half-written; what another live process is writing stays."""
    for path in home.glob(".tmp-*@*@*"):
        pid, host, born = path.name.removeprefix(".tmp-").split("@")
        if path.name in _WRITING:
            continue
        if host != socket.gethostname() or os.name != "posix":
            alive = time.time_ns() - int(born) < 86_400e9  # we cannot look there; nobody writes for a day
        else:
            alive = int(pid) != os.getpid() and _alive(int(pid))
        if not alive:
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def full_disk_told(folder: Path, step: Any) -> Iterator[None]:
    """Say what a full disk means here."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder).free / 1e6
        text = (
            f"the disk of {folder} is full ({free:.0f} MB free): step {step} could not be saved; what was saved before "
            "is whole. Free some space, or keep fewer checkpoints (--keep), and resume"
        )
        raise OSError(error.errno, text) from error


def write_manifest(path: Path, body: dict) -> None:
    body = {"format": FORMAT, "bridle": bridle.__version__, **body}
    write_bytes(path, json.dumps({"sha256": _digest(body), "manifest": body}, indent=1).encode())


def read_manifest(path: Path) -> dict:
    """What a checkpoint (or `best/`) says of itself: `Damaged` if unreadable, `ValueError` if a newer bridle made it."""
    try:
        outer = json.loads((path / "manifest.json").read_bytes())
        body = outer["manifest"]
        if _digest(body) != outer["sha256"]:
            raise ValueError("its checksum is wrong")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path / 'manifest.json'} is damaged or missing ({error})") from error
    if body["format"] > FORMAT:
        raise ValueError(
            f"{path} was made by a newer bridle, {body['bridle']} (format {body['format']}; "
            f"this one, {bridle.__version__}, reads up to {FORMAT}): upgrade bridle"
        )
    return body


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
