"""Evaluations of finished and running trainings: found, read, labelled, chosen, grouped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridle.core.names import one_each
from bridle.run import folder as folders
from bridle.run import log
from bridle.run.disk import Damaged, read_manifest
from bridle.study import foreign
from bridle.study.labels import labels

AXES = {"step": "env steps", "updates": "gradient steps", "minutes": "minutes of training"}
"""What may be the x-axis, and its label."""


@dataclasses.dataclass(frozen=True)
class Series:
    """Return and cost of one run along its training."""

    path: Path
    step: np.ndarray
    """[L], increasing."""
    updates: np.ndarray
    """[L], NaN where it is not told; so are minutes."""
    minutes: np.ndarray
    """[L]"""
    returns: np.ndarray
    """[L]"""
    cost: np.ndarray
    """[L C]"""

    def along(self, x: str) -> np.ndarray:
        """The x-axis of that name."""
        values = getattr(self, x)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.path} tells no {AXES[x]}; draw it along another axis, such as --x step")
        return values


@dataclasses.dataclass(frozen=True)
class Curve(Series):
    """The evaluations of one run."""

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
    length: np.ndarray
    """[L], env steps of an episode; NaN where it is not told."""
    training_rate: np.ndarray
    """[C], cost of an env step over the whole training; NaN where it is not told."""
    training: Series | None = None
    """The episodes that finished in training, with its exploration; None if the run tells of none."""
    config: dict = dataclasses.field(default_factory=dict)
    """What the run was asked to do, as its folder tells; {} for other tools."""


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
        below = [one for one in below if folders.SET_ASIDE not in one.name]
        found += below or [path]
    if not found:
        raise ValueError("runs = []; allowed: one or more run folders, such as runs/SafetyCarCircle-v0/cvpo/*")
    return list({path.resolve(): path for path in found}.values())


def read(runs: Sequence[Path | str], select: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Curve]:
    """The curve of each run among `runs`, labelled so that different things are told apart.

    `select` keeps runs whose path or label holds one of the texts, `exclude` drops those that hold one. What another tool
    wrote is laid beside our runs of the same environment, whatever the dialect, if there is just one.
    """
    curves, refused = readable(runs, select, exclude)
    if refused:
        raise refused[0]
    for curve in curves:
        if not len(curve.step):
            raise ValueError(blank(curve))
    return curves


def readable(
    runs: Sequence[Path | str], select: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[list[Curve], list[ValueError]]:
    """As `read`, also the runs without evaluations (L = 0); beside them why others cannot be read."""
    paths = [path for path in find(runs) if not _holds(exclude, str(path))]
    refused: list[ValueError] = []
    ours = _tried([path for path in paths if not foreign.table_of(path)], folders.open_run, refused)
    names = labels([run.config for run in ours])
    kept = [
        (run, *name)
        for run, name in zip(ours, names, strict=True)
        if (not select or _holds(select, str(run.path), name[1])) and not _holds(exclude, name[1])
    ]
    curves = _tried(kept, lambda told: _read(*told), refused)

    def lay(table: Path) -> None:
        curve = _beside(foreign.read(table), curves)
        if (not select or _holds(select, str(curve.path), curve.label)) and not _holds(exclude, curve.label):
            curves.append(curve)

    _tried([table for path in paths if (table := foreign.table_of(path))], lay, refused)
    if not curves and not refused:
        texts = " ".join([*(f"--select {x}" for x in select), *(f"--exclude {x}" for x in exclude)])
        raise ValueError(f"no run is left by {texts}; there are: {', '.join(dict.fromkeys(x for _, x in names))}")
    return curves, refused


def blank(curve: Curve) -> str:
    """What is said of a run without evaluations."""
    due = curve.config["options"]["eval_every"]
    return f"{curve.path} has no evaluations yet; the first one is due at step {due:,} (or at the end of the run)"


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


def _read(run: folders.RunFolder, method: str, label: str) -> Curve:
    options, spec = run.config["options"], run.config["spec"]
    constraints = tuple(spec["constraints"])
    metrics = log.read(run.metrics) if run.metrics.exists() else {"step": np.array([])}
    rows, series = _series(run, metrics, "eval", len(constraints))
    if rows.any() and (missing := [x for x in one_each("eval/cost", len(constraints)) if x not in metrics]):
        raise ValueError(f"{run.metrics} lacks the columns {', '.join(missing)}")
    notes = [text for name, text in run.config.get("notes", {}).items() if name == "dialect"]
    limit = tuple(options["cost_limit"])
    return Curve(
        **series,
        env=", ".join([spec["name"].removeprefix("bridle/"), *(f"dialect {text}" for text in notes)]),
        method=method,
        label=label,
        limit=limit * len(constraints) if len(limit) == 1 else limit,
        constraints=constraints,
        acting=_acting(run),
        episodes=int(options["eval_episodes"]),
        seed=options["seed"],
        total=options["steps"],
        length=metrics.get("eval/length", np.full(len(rows), np.nan))[rows],
        training_rate=_training_rate(metrics, len(constraints)),
        training=_training(run, metrics, len(constraints)),
        config=run.config,
    )


def _series(run: folders.RunFolder, metrics: dict[str, np.ndarray], kind: str, constraints: int) -> tuple:
    """Which rows tell of episodes of that kind, eval | episode, and the fields of a `Series` out of them."""
    unknown = np.full(len(metrics["step"]), np.nan)
    rows = np.isfinite(metrics.get(f"{kind}/return", unknown))
    costs = [metrics.get(name, unknown)[rows] for name in one_each(f"{kind}/cost", constraints)]
    return rows, {
        "path": run.path,
        "step": metrics["step"][rows].astype(float),
        "updates": _updates(metrics)[rows],
        "minutes": metrics.get("time/seconds", unknown)[rows] / 60,
        "returns": metrics.get(f"{kind}/return", unknown)[rows],
        "cost": np.stack(costs, 1) if costs else np.zeros((rows.sum(), 0)),
    }


def _training(run: folders.RunFolder, metrics: dict[str, np.ndarray], constraints: int) -> Series | None:
    rows, series = _series(run, metrics, "episode", constraints)
    return Series(**series) if rows.any() else None


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
