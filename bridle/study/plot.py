"""Pictures of run folders: curves, box plots of converged cost, the plane of return and cost."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridle.core.names import check_word
from bridle.study import lines, points
from bridle.study.care import cares
from bridle.study.curves import AXES, Curve, grouped, home, read

KINDS = ("curves", "box", "plane")


def plot(
    runs: Sequence[Path | str],
    out: Path | str | None = None,
    x: str = "step",
    kind: str = "curves",
    smooth: int = 1,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    legend: Sequence[str] = (),
    say: Callable[[str], Any] = warnings.warn,
) -> list[Path]:
    """Draw a PNG and an SVG for each environment among `runs` (run folders, or folders that hold some); their paths.

    Runs that differ in nothing but their seed are the seeds of one method. `out`: a folder, or a file whose name is taken;
    by default the run's folder, or the one that holds all of them. `kind`: curves | box | plane. `x`: step | updates |
    minutes, and `smooth`, evaluations that a point of a curve is the mean of: for curves. `select`, `exclude`: texts in paths
    or labels. `legend`: names of the methods, in the order in which they come. `say` hears what to take care of.
    """
    check_word("kind", kind, KINDS)
    check_word("x", x, AXES)
    if smooth < 1:
        raise ValueError(f"smooth = {smooth}; allowed: an integer > 0")
    curves = read(runs, select, exclude)
    figures = grouped(curves, legend)
    written = []
    for env, methods in figures.items():
        for text in cares(methods):
            say(f"take care: {text}")
        stem = _stem(curves, out, kind, env if len(figures) > 1 else None)
        stem.parent.mkdir(parents=True, exist_ok=True)
        if kind == "curves":
            written += lines.draw(env, methods, stem, x, smooth)
        elif not next(iter(methods.values()))[0].constraints:
            raise ValueError(f"{env} has no costs, so there is no {kind} of them; --kind curves draws its return")
        else:
            written += (points.box if kind == "box" else points.plane)(env, methods, stem)
    return written


def _stem(curves: Sequence[Curve], out: Path | str | None, kind: str, env: str | None) -> Path:
    """Where a figure goes, without suffix; `env` where there are several figures."""
    tail = "" if env is None else "-" + (re.sub(r"[^\w.-]+", "-", env) or "unknown")
    if out is not None and Path(out).suffix in (".png", ".svg"):
        return Path(out).with_name(Path(out).stem + tail)
    if out is not None:
        return Path(out, kind + tail)
    return home(curves) / (kind + tail)
