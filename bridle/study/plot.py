"""Pictures of run folders: curves, box plots of converged cost, the plane of return and cost."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridle.core.names import check_word
from bridle.study import lines, points
from bridle.study.axes import PICTURES
from bridle.study.care import apart, cares
from bridle.study.curves import Runs, evaluated, grouped, home
from bridle.study.looks import COLOURS, Look, looks_of
from bridle.study.out import is_file
from bridle.study.series import AXES, Curve

KINDS = ("curves", "box", "plane")


def plot(
    runs: Runs,
    out: Path | str | None = None,
    x: str = "step",
    kind: str = "curves",
    smooth: int = 1,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    legend: Sequence[str] = (),
    say: Callable[[str], Any] = warnings.warn,
    cost_limit: Sequence[float] = (),
) -> list[Path]:
    """Draw a PNG and an SVG for each environment among `runs` (run folders, or folders that hold some); their paths.

    Runs that differ in nothing but their seed are the seeds of one method. `out`: a folder, or, for one environment, a file
    whose name is taken; by default the run's folder, or the one that holds all of them. `kind`: curves | box | plane. `x`:
    step | updates | minutes, and `smooth`, evaluations that a point of a curve is the mean of: for curves. `select`,
    `exclude`: texts in paths or labels. `legend`: names of the methods, in the order in which they come. `say` hears what to
    take care of, runs that are left out among it. `cost_limit`: of tables of other tools that tell none.
    """
    check_word("kind", kind, KINDS)
    check_word("x", x, AXES)
    if smooth < 1:
        raise ValueError(f"smooth = {smooth}; allowed: an integer > 0")
    named = out is not None and is_file(Path(out), PICTURES, "a picture")
    curves, left = evaluated(runs, select, exclude, cost_limit)
    figures = grouped(curves, legend)
    if named and len(figures) > 1:
        raise ValueError(
            f"out = {out} names one picture, but there are {len(figures)}, one for each environment; name a folder"
        )
    for reason in left:
        say(f"take care: left out: {reason}")
    if kind != "curves" and not any(_constraints(methods) for methods in figures.values()):
        raise ValueError(
            f"{', '.join(figures)} has no costs, so there is no {kind} of them; --kind curves draws its return"
        )
    looks = _looks(figures)
    written = []
    for env, methods in figures.items():
        if kind != "curves" and not _constraints(methods):
            say(f"take care: left out: {env} has no costs, so there is no {kind} of them")
            continue
        for text in [*cares(methods), *(apart(methods, x) if kind == "curves" else [])]:
            say(f"take care: {text}")
        stem = _stem(curves, Path(out) if out else None, named, kind, env if len(figures) > 1 else None)
        if kind == "curves":
            written += lines.draw(env, methods, looks[env], stem, x, smooth)
        else:
            written += (points.box if kind == "box" else points.plane)(env, methods, looks[env], stem)
    return written


def _constraints(methods: dict[str, list[Curve]]) -> tuple[str, ...]:
    return next(iter(methods.values()))[0].constraints


def _looks(figures: dict[str, dict[str, list[Curve]]]) -> dict[str, dict[str, Look]]:
    """Looks by environment: the same in all pictures while there are colours for all methods, else those of each picture."""
    curves = {env: [curve for group in methods.values() for curve in group] for env, methods in figures.items()}
    every = looks_of(curve for group in curves.values() for curve in group)
    if max(look.method for look in every.values()) < len(COLOURS):
        return dict.fromkeys(figures, every)
    return {env: looks_of(group) for env, group in curves.items()}


def _stem(curves: Sequence[Curve], out: Path | None, named: bool, kind: str, env: str | None) -> Path:
    """Where a figure goes, without suffix; `named`: `out` is its file; `env` where there are several figures."""
    if out is not None and named:
        return out.with_suffix("")
    tail = "" if env is None else "-" + (re.sub(r"[^\w.-]+", "-", env) or "unknown")
    return (home(curves) if out is None else out) / (kind + tail)
