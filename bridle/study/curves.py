"""Evaluations of finished and running trainings: found, read, labelled, chosen, summed up over seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bridle.core.names import one_each
from bridle.maths.statistics import ENOUGH, student
from bridle.run import folder as folders
from bridle.run import log
from bridle.run.disk import Damaged, read_manifest
from bridle.study import foreign
from bridle.study.labels import labels

AXES = {"step": "env steps", "updates": "gradient steps", "minutes": "minutes of training"}
"""What may be the x-axis, and its label."""


@dataclasses.dataclass(frozen=True)
class Curve:
    """The evaluations of one run."""

    path: Path
    env: str
    """The world with what must stand beside it, such as its dialect; "" where a file of another tool tells none."""
    method: str
    """The algorithm and what tells it from others, apart from the cost limit."""
    label: str
    """The method, and the limit where there are several."""
    limit: tuple[float, ...]
    constraints: tuple[str, ...]
    acting: str
    """How evaluations act; "" if the run does not tell."""
    episodes: int
    """Of one evaluation; 0 if the run does not tell."""
    seed: int | None
    total: int | None
    """Env steps that the run was asked for."""
    step: np.ndarray
    """[L], increasing."""
    updates: np.ndarray
    """[L], NaN where it is not told; so are the next two."""
    minutes: np.ndarray
    """[L]"""
    length: np.ndarray
    """[L], env steps of an episode."""
    returns: np.ndarray
    """[L]"""
    cost: np.ndarray
    """[L C]"""
    training_rate: np.ndarray
    """[C], cost of an env step over the whole training; NaN where it is not told."""

    def along(self, x: str) -> np.ndarray:
        """The x-axis of that name."""
        values = getattr(self, x)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.path} tells no {AXES[x]}; draw it along another axis, such as --x step")
        return values


def find(runs: Sequence[Path | str]) -> list[Path]:
    """Run folders among `runs`, and tables of other tools; a folder that is none but holds some stands for those."""
    found: list[Path] = []
    for path in map(Path, runs):
        if (path / "config.json").exists() or foreign.table_of(path):
            found.append(path)
            continue
        if path.is_file() and len(runs) > 1:
            continue  # a picture that an earlier call left among the runs, say
        names = ("config.json", *foreign.FILES)
        below = sorted({file.parent for name in names for file in path.glob(f"**/{name}")})
        found += below or [path]
    if not found:
        raise ValueError("runs = []; allowed: one or more run folders, such as runs/SafetyCarCircle-v0/cvpo/*")
    return list({path.resolve(): path for path in found}.values())


def read(runs: Sequence[Path | str], select: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Curve]:
    """The curve of each run among `runs`, labelled so that different things are told apart.

    `select` keeps runs whose path or label holds one of the texts, `exclude` drops those that hold one. What another tool
    wrote is laid beside our runs of the same environment, whatever the dialect, if there is just one.
    """
    paths = [path for path in find(runs) if not _holds(exclude, str(path))]
    ours = [folders.open_run(path) for path in paths if not foreign.table_of(path)]
    names = labels([run.config for run in ours])
    kept = [
        (run, name)
        for run, name in zip(ours, names, strict=True)
        if (not select or _holds(select, str(run.path), name[1])) and not _holds(exclude, name[1])
    ]
    curves = [_read(run, *name) for run, name in kept]
    for path in paths:
        if (table := foreign.table_of(path)) is not None:
            curve = _beside(foreign.read(table), curves)
            if (not select or _holds(select, str(path), curve.label)) and not _holds(exclude, curve.label):
                curves.append(curve)
    if not curves:
        texts = " ".join([*(f"--select {x}" for x in select), *(f"--exclude {x}" for x in exclude)])
        raise ValueError(f"no run is left by {texts}; there are: {', '.join(dict.fromkeys(x for _, x in names))}")
    return curves


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


def _read(run: folders.RunFolder, method: str, label: str) -> Curve:
    options, spec = run.config["options"], run.config["spec"]
    constraints = tuple(spec["constraints"])
    names = one_each("eval/cost", len(constraints))
    metrics = log.read(run.metrics) if run.metrics.exists() else {}
    rows = np.isfinite(metrics.get("eval/return", np.array([])))
    if not rows.any():
        raise ValueError(
            f"{run.path} has no evaluations yet; the first one is due at step {options['eval_every']:,} "
            f"(or at the end of the run)"
        )
    if missing := [name for name in names if name not in metrics]:
        raise ValueError(f"{run.metrics} lacks the columns {', '.join(missing)}")
    unknown = np.full(len(rows), np.nan)
    notes = [text for name, text in run.config.get("notes", {}).items() if name == "dialect"]
    limit = tuple(options["cost_limit"])
    return Curve(
        path=run.path,
        env=", ".join([spec["name"].removeprefix("bridle/"), *(f"dialect {text}" for text in notes)]),
        method=method,
        label=label,
        limit=limit * len(constraints) if len(limit) == 1 else limit,
        constraints=constraints,
        acting=_acting(run),
        episodes=int(options["eval_episodes"]),
        seed=options["seed"],
        total=options["steps"],
        step=metrics["step"][rows].astype(float),
        updates=_updates(metrics)[rows],
        minutes=metrics.get("time/seconds", unknown)[rows] / 60,
        length=metrics.get("eval/length", unknown)[rows],
        returns=metrics["eval/return"][rows],
        cost=np.stack([metrics[name][rows] for name in names], 1) if names else np.zeros((rows.sum(), 0)),
        training_rate=_training_rate(metrics, len(constraints)),
    )


def _updates(metrics: dict[str, np.ndarray]) -> np.ndarray:
    """Gradient steps so far at each row: the two speeds of a row are counts over the same time."""
    unknown = np.full(len(metrics["step"]), np.nan)
    steps, updates = (metrics.get(f"time/{name}_per_s", unknown) for name in ("steps", "updates"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.cumsum(np.diff(metrics["step"], prepend=0) * updates / steps)


def _training_rate(metrics: dict[str, np.ndarray], constraints: int) -> np.ndarray:
    """[C]: mean over env steps of the cost of a step, out of the episodes that finished before each row."""
    weight = np.diff(metrics["step"], prepend=0).astype(float)
    length = metrics.get("episode/length", np.full(len(weight), np.nan))
    rates = []
    for name in one_each("episode/cost", constraints):
        rate = metrics.get(name, np.full(len(weight), np.nan)) / length
        told = np.isfinite(rate) & (weight > 0)
        rates.append(np.average(rate[told], weights=weight[told]) if told.any() else np.nan)
    return np.array(rates)


def _acting(run: folders.RunFolder) -> str:
    try:
        sampled = read_manifest(folders.best_home(run.path))["facts"]["sampled"]
    except (Damaged, KeyError):
        return ""
    return "sampled actions" if sampled else "the policy's mean"


def _beside(table: foreign.Table, ours: list[Curve]) -> Curve:
    """A curve of another tool with what it does not tell itself taken from our runs beside it, where they agree."""
    envs = dict.fromkeys(curve.env for curve in ours)
    same = [env for env in envs if not table.env or env.partition(",")[0] == table.env]
    env = same[0] if len(same) == 1 else table.env
    limits = {curve.limit for curve in ours if curve.env == env}
    if table.limit is None and len(limits) != 1:
        raise ValueError(f"{table.path} tells no cost limit; lay it beside runs of one environment with one limit")
    here = next((curve.constraints for curve in ours if curve.env == env), ("cost",))
    return Curve(
        path=table.path,
        env=env,
        method=table.label,
        label=table.label,
        limit=(table.limit,) if table.limit is not None else next(iter(limits)),
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
    )


def counted(curve: Curve) -> int:
    """How many of the last evaluations a result is the mean of."""
    return max(1, round(len(curve.step) / 10))


def final(curve: Curve) -> tuple[float, np.ndarray]:
    """Return and cost [C] as results are reported: the mean of the last tenth of the evaluations."""
    last = counted(curve)
    return float(curve.returns[-last:].mean()), curve.cost[-last:].mean(0)


def smoothed(y: np.ndarray, window: int) -> np.ndarray:
    """The mean of `window` evaluations round each; of fewer at the ends. y [L]: [L]."""
    before, after = (window - 1) // 2, window // 2
    return np.array([y[max(0, i - before) : i + after + 1].mean() for i in range(len(y))])


@dataclasses.dataclass(frozen=True)
class Summary:
    """The curves of several seeds on one grid."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def summarise(xs: list[np.ndarray], ys: list[np.ndarray]) -> Summary:
    """Mean over seeds where all of them have come, on the union of their grids.

    The band is the 95 % interval of the mean (Student's t) from three seeds on, and the range of two.
    """
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    grid = np.unique(np.concatenate(xs))
    grid = grid[(grid >= first) & (grid <= last)] if first <= last else xs[0][-1:]
    table = np.stack([np.interp(grid, x, y) for x, y in zip(xs, ys, strict=True)])
    if len(table) < ENOUGH:
        return Summary(grid, table.mean(0), table.min(0), table.max(0))
    mean, low, high = np.array([student(column) for column in table.T]).T
    return Summary(grid, mean, low, high)
