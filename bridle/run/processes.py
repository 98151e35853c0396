"""Trainings as processes of their own: what such a process is told, and why it failed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable


def environment(cpus: int) -> dict[str, str]:
    """This process's environment, with as many threads as a training has cores; what the user has set stays."""
    count = str(cpus)
    # NPROC is what XLA takes the size of its pool from.
    ours = {name: count for name in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    ours["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # or the first of several trainings takes most of a GPU
    return {**ours, "PYTHONUNBUFFERED": "1", **os.environ}


def why(code: int, said: Iterable[str]) -> str:
    """In one line, why a process of ours left with `code`, where it said these lines."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"killed by {name}" + (", perhaps for want of memory" if -code == signal.SIGKILL else "")
    lines = [line for line in said if re.search(r"\w", line) and not line.startswith("bridle: the traceback")]
    told = [line.removeprefix("bridle: ") for line in lines if line.startswith("bridle: ")]
    return (told or [line.strip("│╭╮╰╯─ ") for line in lines] or [f"it left with code {code}"])[-1]
