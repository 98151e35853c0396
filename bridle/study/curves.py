"""Evaluations of finished and running trainings: found, read, labelled, chosen, grouped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridle.run import folder as folders
from bridle.study import foreign, own
from bridle.study.care import blank
from bridle.study.labels import labels, under
from bridle.study.series import Curve

Runs = Sequence[Path | str] | Path | str
"""Paths of runs, or one."""


def find(runs: Runs) -> list[Path]:
    """Run folders among `runs`, and tables of other tools; a folder that is none but holds some stands for those."""
    found: list[Path] = []
    runs = [runs] if isinstance(runs, str | Path) else list(runs)
    for path in map(Path, runs):
        if (path / "config.json").exists() or foreign.table_of(path):
            found.append(path)
            continue
        if path.is_file() and len(runs) > 1:
            continue  # a picture that an earlier call left among the runs, say
        names = ("config.json", *foreign.FILES)
        below = sorted({file.parent for name in names for file in path.glob(f"**/{name}")})
        below = [one for one in below if folders.SET_ASIDE not in one.name]
        found += below or [path]
    if not found:
        raise ValueError("runs = []; allowed: one or more run folders, such as runs/SafetyCarCircle-v0/cvpo/*")
    return list({path.resolve(): path for path in found}.values())


def read(runs: Runs, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Curve]:
    """The curve of each run among `runs` that has been evaluated, as `evaluated` gives them."""
    return evaluated(runs, select, exclude)[0]


def evaluated(
    runs: Runs, select: Sequence[str] = (), exclude: Sequence[str] = (), cost_limit: Sequence[float] = ()
) -> tuple[list[Curve], list[str]]:
    """The curve of each run that has been evaluated, labelled so that different things are told apart; why others are left out.

    `select` keeps runs whose path or label holds one of the texts, `exclude` drops those that hold one. What another tool
    wrote is laid beside our runs of the same environment, whatever the dialect, if there is just one; `cost_limit` is that of
    tables that tell none. A `ValueError` with all the reasons if no run is left.
    """
    curves, refused = readable(runs, select, exclude, cost_limit)
    left = [*map(str, refused), *(blank(curve) for curve in curves if not len(curve.step))]
    kept = [curve for curve in curves if len(curve.step)]
    if not kept:
        raise ValueError(
            left[0] if len(left) == 1 else f"there is nothing to show of {len(left)} runs: {'; '.join(left)}"
        )
    return kept, left


def readable(
    runs: Runs, select: Sequence[str] = (), exclude: Sequence[str] = (), cost_limit: Sequence[float] = ()
) -> tuple[list[Curve], list[ValueError]]:
    """As `evaluated`, with the runs without evaluations (L = 0) too; beside them why others cannot be read."""
    _check_limit(cost_limit)
    select, exclude = ([texts] if isinstance(texts, str) else texts for texts in (select, exclude))
    paths = [path for path in find(runs) if not _holds(exclude, str(path))]
    refused: list[ValueError] = []
    ours = _tried([path for path in paths if not foreign.table_of(path)], folders.open_run, refused)
    names = labels([run.config for run in ours])
    kept = [
        (run, *name)
        for run, name in zip(ours, names, strict=True)
        if (not select or _holds(select, str(run.path), name[1])) and not _holds(exclude, name[1])
    ]
    curves = _tried(kept, lambda told: own.read(*told), refused)

    def lay(table: Path) -> None:
        curve = _beside(foreign.read(table), curves, tuple(cost_limit))
        if (not select or _holds(select, str(curve.path), curve.label)) and not _holds(exclude, curve.label):
            curves.append(curve)

    _tried([table for path in paths if (table := foreign.table_of(path))], lay, refused)
    if not curves and not refused:
        texts = " ".join([*(f"--select {x}" for x in select), *(f"--exclude {x}" for x in exclude)])
        raise ValueError(f"no run is left by {texts}; there are: {', '.join(dict.fromkeys(x for _, x in names))}")
    return _under_limits(curves), refused


def _check_limit(cost_limit: Sequence[float]) -> None:
    if len(cost_limit) > 1 or not all(math.isfinite(x) and x >= 0 for x in cost_limit):
        told = " ".join(f"{x:g}" for x in cost_limit)
        raise ValueError(
            f"cost_limit = {told}; allowed: one number >= 0, which holds for tables of other tools that tell no limit"
        )


def _under_limits(curves: list[Curve]) -> list[Curve]:
    """The limit in every label of an environment that has several, also where a table of another tool brought the second."""
    limits: dict[str, set] = {}
    for curve in curves:
        limits.setdefault(curve.env, set()).add(curve.limit)
    bare = lambda curve: curve.label == curve.method and len(limits[curve.env]) > 1
    return [
        dataclasses.replace(curve, label=under(curve.method, curve.limit)) if bare(curve) else curve for curve in curves
    ]


def _tried(what: Iterable[Any], do: Callable, refused: list[ValueError]) -> list[Any]:
    """`do` of each; what it refuses is left out and told in `refused`."""
    done = []
    for one in what:
        try:
            done.append(do(one))
        except ValueError as error:
            refused.append(error)
    return done


def _holds(texts: Sequence[str], *where: str) -> bool:
    return any(text in place for text in texts for place in where)


def grouped(curves: Sequence[Curve], legend: Sequence[str] = ()) -> dict[str, dict[str, list[Curve]]]:
    """Seeds of each method in each environment, in the order they come; `legend` gives methods other names."""
    names = list(dict.fromkeys(curve.label for curve in curves))
    if legend and len(legend) != len(names):
        raise ValueError(
            f"--legend {' '.join(legend)}: {len(legend)} names for {len(names)} methods: {'; '.join(names)}"
        )
    renamed = dict(zip(names, legend or names, strict=True))
    found: dict[str, dict[str, list[Curve]]] = {}
    for curve in curves:
        methods = found.setdefault(curve.env, {})
        if methods and (first := next(iter(methods.values()))[0]).constraints != curve.constraints:
            raise ValueError(
                f"{first.path} has the constraints {', '.join(first.constraints) or 'none'} and {curve.path} "
                f"{', '.join(curve.constraints) or 'none'}, both on {curve.env}: they cannot be laid beside each other"
            )
        methods.setdefault(renamed[curve.label], []).append(dataclasses.replace(curve, label=renamed[curve.label]))
    return found


def home(curves: Sequence[Curve]) -> Path:
    """The folder of the run, or the nearest one that holds all of them."""
    paths = [curve.path if curve.path.is_dir() else curve.path.parent for curve in curves]
    folder = paths[0]
    while not all(path.resolve().is_relative_to(folder.resolve()) for path in paths):
        folder = folder.resolve().parent
    return folder


def _beside(table: foreign.Table, ours: list[Curve], told: tuple[float, ...]) -> Curve:
    """A curve of another tool; a limit that it does not tell is what was `told`, or that of our runs beside it, if they agree."""
    envs = dict.fromkeys(curve.env for curve in ours)
    same = [env for env in envs if not table.env or env.partition(",")[0] == table.env]
    env = same[0] if len(same) == 1 else table.env
    limits = {curve.limit for curve in ours if curve.env == env}
    limit = (table.limit,) if table.limit is not None else told or (next(iter(limits)) if len(limits) == 1 else None)
    if limit is None:
        raise ValueError(
            f"{table.path} tells no cost limit; say it (--cost-limit X), or lay it beside runs of one environment with one limit"
        )
    here = next((curve.constraints for curve in ours if curve.env == env), ("cost",))
    return Curve(
        path=table.path,
        env=env,
        method=table.label,
        label=table.label,
        limit=limit,
        constraints=here if len(here) == 1 else ("cost",),
        acting=table.acting,
        episodes=0,
        seed=table.seed,
        total=None,
        step=table.step,
        updates=np.full(len(table.step), np.nan),
        minutes=table.seconds / 60,
        length=table.length,
        returns=table.returns,
        cost=table.cost[:, None],
        training_rate=np.array([np.nan]),
        unread=table.unread,
    )
