"""`bridle report`: runs as one page that opens from the disk, with figures, tables, settings and videos inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bridle.study.care import cares
from bridle.study.compare import sections
from bridle.study.curves import Curve, blank, grouped, home, readable
from bridle.study.report.layout import Look, Methods, looks_of
from bridle.study.report.settings import Settings, settings
from bridle.study.report.videos import Video, videos
from bridle.study.results import worlds_of
from bridle.study.tables import Table

NAME = "report.html"
VIDEOS = 25.0
"""Megabytes of videos that a page may hold."""


class Environment(NamedTuple):
    """One environment of a report."""

    env: str
    methods: Methods
    done: Methods
    """Those of them, and of their runs, that have been evaluated."""
    tables: list[Table]


class Report(NamedTuple):
    """All that a page shows."""

    curves: list[Curve]
    looks: dict[str, Look]
    """By label."""
    envs: list[Environment]
    over: list[Table]
    """The methods over all environments, where there are several of both."""
    care: list[str]
    settings: Settings
    videos: list[Video]
    left: list[str]
    """Why videos are left out."""


def report(
    runs: Sequence[Path | str],
    out: Path | str | None = None,
    reference: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    megabytes: float = VIDEOS,
) -> Path:
    """Write one HTML page about `runs` (run folders, or folders that hold some) that needs no network; its path.

    `out`: a file that ends in .html, or a folder; by default the run's folder, or the one that holds all of them. A page
    that is there already is replaced, as a picture of `plot` is. `reference`, `select`, `exclude` are those of `compare`;
    `megabytes` bounds the videos inside. Runs that cannot be read or have no evaluations yet are told on the page; it is a
    `ValueError` if none can be read, an `ImportError` if plotly is missing.
    """
    if not megabytes >= 0:
        raise ValueError(f"videos = {megabytes:g} MB; allowed: a number >= 0")
    from bridle.study.report.page import page, plotly_js

    script = plotly_js()  # before the runs are read, so that a missing plotly is told at once
    found = gathered(runs, reference, select, exclude, megabytes)
    path = Path(out) if out is not None else home(found.curves)
    path = path if path.suffix.lower() in (".html", ".htm") else path / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(found, script), encoding="utf-8")
    return path


def gathered(
    runs: Sequence[Path | str],
    reference: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    megabytes: float = VIDEOS,
) -> Report:
    """What a page about the runs shows."""
    curves, refused = readable(runs, select, exclude)
    if not curves:
        raise refused[0]
    envs = grouped(curves)
    care = [f"Left out: {error}" for error in refused] + [f"{blank(c)}." for c in curves if not len(c.step)]
    care += [f"{env or 'Environment not told'}: {text}" for env, methods in envs.items() for text in cares(methods)]
    evaluated = {env: _evaluated(methods) for env, methods in envs.items()}
    worlds = worlds_of(evaluated)
    each, over = sections(worlds, reference) if worlds else ([], [])
    tables = [(world.env, table) for world, found in zip(worlds, each, strict=True) for table in found]
    taken, left = videos(curves, megabytes)
    return Report(
        curves=curves,
        looks=looks_of(curves),
        envs=[
            Environment(env, methods, evaluated[env], [table for where, table in tables if where == env])
            for env, methods in envs.items()
        ],
        over=over,
        care=care,
        settings=settings(curves),
        videos=taken,
        left=left,
    )


def _evaluated(methods: Methods) -> Methods:
    """Without the runs that have no evaluations yet."""
    kept = {name: [curve for curve in group if len(curve.step)] for name, group in methods.items()}
    return {name: group for name, group in kept.items() if group}
