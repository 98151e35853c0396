"""Cores of trainings: each takes some that no other on this machine holds, and keeps them for as long as it lives."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

HOME = Path(tempfile.gettempdir(), f"bridle-cores-{os.getuid() if hasattr(os, 'getuid') else 0}")
"""A file for each core: a training that has the core holds its lock, whichever study it is of."""


@contextmanager
def held(count: int) -> Iterator[tuple[int, ...]]:
    """Within it, a process that this thread starts gets `count` cores of its own; the files that it must be passed.

    The kernel lets the cores go when the process ends, however it ends. Where so many are not free, or where the system
    pins no process, it gets what this one has, and there are no files.
    """
    with ExitStack() as stack:
        files, mine = {}, sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        for core in mine:
            if len(files) < count and (file := _taken(core)) is not None:
                files[core] = stack.enter_context(file)
        if files and len(files) == count:
            stack.callback(os.sched_setaffinity, 0, mine)
            os.sched_setaffinity(0, files)
            yield tuple(file.fileno() for file in files.values())
        else:
            yield ()


def _taken(core: int) -> IO | None:
    """The file of a core, locked; None if another holds it, or if there can be no such file."""
    import fcntl

    try:
        HOME.mkdir(mode=0o700, exist_ok=True)
        file = open(HOME / f"{core}.lock", "a")  # noqa: SIM115 (held by the process that is passed it)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
