"""How something is timed, and how what was found is written: rates, spreads, verdicts, the machine and the commit."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median


def rate(call: Callable[[], None], seconds: float) -> tuple[int, float]:
    """(calls, seconds) of as many calls as fit into `seconds`, at least one."""
    count, begin = 0, time.perf_counter()
    while count < 1 or time.perf_counter() - begin < seconds:
        call()
        count += 1
    return count, time.perf_counter() - begin


def spread(values: list[float]) -> str:
    """Median (smallest - greatest)."""
    show = lambda x: f"{x:,.0f}" if x >= 100 else f"{x:.1f}"
    return f"**{show(median(values))}** ({show(min(values))}-{show(max(values))})"


def verdict(value: float, mark: float | None) -> str:
    """Is it at least the mark?"""
    return "" if mark is None else "met" if value >= mark else "**missed**"


def commit() -> str:
    """Of the code that is measured, with a word if it was changed since."""
    here = Path(__file__).parents[2]
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=here, capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = git("status", "--porcelain", "--", "bridle", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def machine() -> str:
    """Its processor, and how many cores this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{processor()}, {usable} cores"


def processor() -> str:
    """Its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
