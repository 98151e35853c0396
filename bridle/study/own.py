"""Our run folders, read as the curves of their evaluations and of their training."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from bridle.core.names import one_each
from bridle.run import folder as folders
from bridle.run import log
from bridle.run.disk import Damaged, read_manifest
from bridle.study.labels import limit_of, world_of
from bridle.study.series import Curve, Series, finite


def read(run: folders.RunFolder, method: str, label: str) -> Curve:
    """The curve of a run that is called so."""
    options, constraints = run.config["options"], tuple(run.config["spec"]["constraints"])
    metrics = log.read(run.metrics) if run.metrics.exists() else {"step": np.array([])}
    rows = _evaluations(run, metrics)
    if rows.any() and (missing := [x for x in one_each("eval/cost", len(constraints)) if x not in metrics]):
        raise ValueError(f"{run.metrics} lacks the columns {', '.join(missing)}")
    return Curve(
        **_series(run, metrics, "eval", rows),
        env=world_of(run.config),
        method=method,
        label=label,
        limit=limit_of(run.config),
        constraints=constraints,
        acting=_acting(run),
        episodes=int(options["eval_episodes"]),
        seed=options["seed"],
        total=_total(run),
        length=metrics.get("eval/length", np.full(len(rows), np.nan))[rows],
        training_rate=_training_rate(metrics, len(constraints)),
        training=_training(run, metrics),
        config=run.config,
        metrics=metrics,
    )


def _total(run: folders.RunFolder) -> int:
    """The env steps that it was last told to train."""
    asked, saved = run.config["options"]["steps"], sorted((run.path / "checkpoints").glob("step-*"))
    try:
        return int(read_manifest(saved[-1])["facts"]["total"]) if saved else asked
    except (Damaged, KeyError):
        return asked


def _evaluations(run: folders.RunFolder, metrics: dict[str, np.ndarray]) -> np.ndarray:
    """[L]: which rows tell of an evaluation, also of one whose return is no number, which reads like a blank."""
    rows = ~np.isnan(metrics.get("eval/return", np.full(len(metrics["step"]), np.nan)))
    if not run.metrics.exists() or "nan" not in (text := run.metrics.read_text(encoding="utf-8")):
        return rows
    header, *lines = csv.reader(text[: text.rfind("\n") + 1].splitlines())
    told = [line for line in lines if len(line) == len(header)][: len(rows)]  # the run may have gone on since
    return rows | np.array([bool(dict(zip(header, line, strict=True)).get("eval/return")) for line in told], bool)


def _series(run: folders.RunFolder, metrics: dict[str, np.ndarray], kind: str, rows: np.ndarray) -> dict[str, Any]:
    """The fields of a `Series` out of the rows that tell of episodes of that kind, eval | episode."""
    unknown = np.full(len(rows), np.nan)
    costs = [finite(metrics.get(name, unknown)[rows]) for name in one_each(f"{kind}/cost", _constraints(run))]
    return {
        "path": run.path,
        "step": metrics["step"][rows].astype(float),
        "updates": _updates(metrics)[rows],
        "minutes": metrics.get("time/seconds", unknown)[rows] / 60,
        "returns": finite(metrics.get(f"{kind}/return", unknown)[rows]),
        "cost": np.stack(costs, 1) if costs else np.zeros((rows.sum(), 0)),
    }


def _constraints(run: folders.RunFolder) -> int:
    return len(run.config["spec"]["constraints"])


def _training(run: folders.RunFolder, metrics: dict[str, np.ndarray]) -> Series | None:
    rows = np.isfinite(metrics.get("episode/return", np.full(len(metrics["step"]), np.nan)))
    return Series(**_series(run, metrics, "episode", rows)) if rows.any() else None


def _updates(metrics: dict[str, np.ndarray]) -> np.ndarray:
    """Gradient steps so far at each row: the two speeds of a row are counts over the same time.

    Where no env step was made, as in the row of a run that went on at the step where it had stopped, that time is told by
    the clock alone.
    """
    unknown = np.full(len(metrics["step"]), np.nan)
    steps, updates = (metrics.get(f"time/{name}_per_s", unknown) for name in ("steps", "updates"))
    clock = np.nan_to_num(np.diff(metrics.get("time/seconds", unknown), prepend=0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        passed = np.where(steps > 0, np.diff(metrics["step"], prepend=0) / steps, np.where(steps == 0, clock, np.nan))
    return np.cumsum(passed * updates)


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
