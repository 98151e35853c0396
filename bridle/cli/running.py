"""What a command's process does beside the work of `api`: which device it computes on, and what it says and leaves with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from bridle.run.learning import is_over

GRACE = 9.0
"""Seconds in which a run that is told to stop saves itself, whatever an environment or an update is doing."""


def wrong(error: Any) -> int:
    """A wrong name or value."""
    print(f"bridle: {error}", file=sys.stderr)
    return 2


def failed(error: BaseException) -> int:
    """Something went wrong in a run."""
    print(f"bridle: {error}", file=sys.stderr)
    return 1


def compute_on(device: str) -> None:
    """This process is ours: for a run on the CPU, JAX need look for no other device."""
    import jax

    if device == "cpu" and not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")


def device_of(run: Path) -> str:
    """The device of a run; says so if it is none, before JAX is loaded."""
    from bridle.run.folder import open_run

    return open_run(run).config["options"]["device"]


def go(training) -> int:
    try:
        return leave(training.go(GRACE).exit_code)
    except FileExistsError as error:
        return wrong(error)
    except Exception as error:  # noqa: BLE001 (whatever an environment raises: the traceback lies in log.txt)
        known = isinstance(error, ValueError | RuntimeError | OSError)
        print(f"bridle: {error if known else f'{type(error).__name__}: {error}'}", file=sys.stderr)
        if training.traced:
            print(f"bridle: the traceback lies in {training.path / 'log.txt'}", file=sys.stderr)
        return leave(1)


def leave(code: int) -> int:
    """After a signal, or while updates are still computed in a thread that nobody waits for, at once."""
    if code > 128 or not is_over(0.0):
        sys.stdout.flush()
        os._exit(code)
    return code
