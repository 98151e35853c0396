"""Where pictures, tables and pages go: what a name means, and what is said if nothing can be written there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def is_file(path: Path, endings: Iterable[str], what: str) -> bool:
    """Does the name end as a file of these; else it is a folder's, unless it ends as a file of another sort: a `ValueError`."""
    if path.suffix.lower() in (endings := list(endings)):
        return True
    if re.fullmatch(r"\.[A-Za-z]{2,4}", path.suffix) and not path.is_dir():
        raise ValueError(
            f"out = {path}: {what} cannot be written as {path.suffix}; allowed: {', '.join(endings)}, or a folder"
        )
    return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of `path`, and tell in words why it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        where = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise OSError(f"{path} cannot be written: {why}{where}; name another place with out (--out)") from error
