"""JAX's cache of compiled functions, kept whole: what was torn while it was written is forgotten, and compiled anew."""

from __future__ import annotations

import os
import time
import zlib
from contextlib import suppress
from pathlib import Path

SETTLED = 60.0
"""Seconds after which an entry is no longer being written."""
MARK = ".whole"
"""A file in the cache whose time says up to when entries were looked at."""
ZSTD = b"\x28\xb5\x2f\xfd"
"""What such data begins with (RFC 8878, section 3.1.1); JAX packs by zstd where Python has it, else by zlib."""


def mend(cache: Path) -> None:
    """Delete torn entries that were written since the last call.

    JAX writes an entry in place and never again. One that a killed process or a full disk has torn would be read in vain, with
    a warning, at each start to come.
    """
    with suppress(OSError):  # another process mends at this moment, or may write there and we may not
        mark, until = cache / MARK, time.time() - SETTLED
        since = mark.stat().st_mtime if mark.exists() else 0.0
        for entry in cache.glob("*-cache"):
            if since <= entry.stat().st_mtime < until and not is_whole(entry.read_bytes()):
                entry.unlink(missing_ok=True)
        mark.touch()
        os.utime(mark, (until, until))


def is_whole(entry: bytes) -> bool:
    """Can the bytes of an entry be unpacked to their end? Also yes where this Python cannot know."""
    try:
        if entry.startswith(ZSTD):
            _zstd().decompress(entry)
        else:
            zlib.decompress(entry)
    except ImportError:
        return True
    except Exception:  # noqa: BLE001 (each packer has errors of its own)
        return False
    return True


def _zstd():
    try:
        from compression import zstd  # since Python 3.14
    except ImportError:
        import zstandard as zstd
    return zstd
