"""`bridle report`: runs as one page that opens from the disk, with figures, tables, settings and videos inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bridle.study.care import apart, blank, cares
from bridle.study.compare import sections
from bridle.study.curves import Runs, grouped, home, readable
from bridle.study.looks import Look, looks_of
from bridle.study.out import is_file, writing
from bridle.study.report.layout import Methods
from bridle.study.report.learning import axes_of
from bridle.study.report.settings import Settings, settings
from bridle.study.report.videos import Video, videos
from bridle.study.results import World, worlds_of
from bridle.study.series import Curve
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
    tables: list[tuple[Table, dict[str, Look]]]
    """Those of each limit, with the looks that its methods have there."""


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
    runs: Runs,
    out: Path | str | None = None,
    reference: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    megabytes: float = VIDEOS,
    cost_limit: Sequence[float] = (),
) -> Path:
    """Write one HTML page about `runs` (run folders, or folders that hold some) that needs no network; its path.

    `out`: a file that ends in .html, or a folder; by default the run's folder, or the one that holds all of them. A page
    that is there already is replaced, as a picture of `plot` is. `reference`, `select`, `exclude`, `cost_limit` are those of
    `compare`; `megabytes` bounds the videos inside. Runs that cannot be read or have no evaluations yet are told on the page; it is a
    `ValueError` if none can be read, an `ImportError` if plotly is missing.
    """
    if not megabytes >= 0:
        raise ValueError(f"videos = {megabytes:g} MB; allowed: a number >= 0")
    named = out is not None and is_file(Path(out), (".html", ".htm"), "a page")
    from bridle.study.report.page import page, plotly_js

    script = plotly_js()  # before the runs are read, so that a missing plotly is told at once
    found = gathered(runs, reference, select, exclude, megabytes, cost_limit)
    path = Path(out) if out is not None else home(found.curves)
    path = path if named else path / NAME
    with writing(path):
        path.write_text(page(found, script), encoding="utf-8")
    return path


def gathered(
    runs: Runs,
    reference: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    megabytes: float = VIDEOS,
    cost_limit: Sequence[float] = (),
) -> Report:
    """What a page about the runs shows."""
    curves, refused = readable(runs, select, exclude, cost_limit)
    if not curves:
        raise refused[0] if len(refused) == 1 else ValueError("; ".join(map(str, refused)))
    envs, looks = grouped(curves), looks_of(curves)
    evaluated = {env: _evaluated(methods) for env, methods in envs.items()}
    worlds = worlds_of(evaluated)
    each, over = sections(worlds, reference) if worlds else ([], [])
    tables = [
        (world.env, table, _marks(world, looks)) for world, found in zip(worlds, each, strict=True) for table in found
    ]
    taken, left = videos(curves, megabytes)
    return Report(
        curves=curves,
        looks=looks,
        envs=[
            Environment(
                env, methods, evaluated[env], [(table, marks) for where, table, marks in tables if where == env]
            )
            for env, methods in envs.items()
        ],
        over=over,
        care=[f"Left out: {error}" for error in refused] + _cares(envs, evaluated),
        settings=settings(curves),
        videos=taken,
        left=left,
    )


def _marks(world: World, looks: dict[str, Look]) -> dict[str, Look]:
    """How each method looks under this limit."""
    return {method: looks[group[0].curve.label] for method, group in world.methods.items()}


def _cares(envs: dict[str, Methods], evaluated: dict[str, Methods]) -> list[str]:
    """What to take care of, also of seeds that cannot be averaged along one of the axes."""
    curves = [curve for methods in envs.values() for group in methods.values() for curve in group]
    found = [
        f"{text}{'' if text.endswith('.') else '.'}"
        for curve in curves
        if not len(curve.step) and (text := blank(curve))
    ]
    for env, methods in envs.items():
        axes = axes_of([curve for group in methods.values() for curve in group])
        told = cares(methods) + [text for x in axes for text in apart(evaluated[env], x)]
        found += [f"{env or 'Environment not told'}: {text}" for text in told]
    return found


def _evaluated(methods: Methods) -> Methods:
    """Without the runs that have no evaluations yet."""
    kept = {name: [curve for curve in group if len(curve.step)] for name, group in methods.items()}
    return {name: group for name, group in kept.items() if group}
