"""What runs came to: final return and cost, feasibility, scores; of one method, and over several environments.

*Final* is the mean over the last tenth of a run's evaluations (`seeds.final`), of the last policies and not of the best
ones. A run is *feasible* if its final cost is at most the limit, for every constraint. A run whose final return or cost is no
number is not feasible, and is the worst of all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bridle.core.names import by_constraint, one_each
from bridle.maths.statistics import ENOUGH, Estimate, bootstrapped, improvement, student
from bridle.study import curves as reading
from bridle.study.seeds import counted, final
from bridle.study.series import Curve


class Result(NamedTuple):
    """What one run came to."""

    curve: Curve
    returns: float
    cost: np.ndarray
    """[C], of an episode."""
    excess: float
    """Sum of what the costs exceed their limits by; 0 if the run is feasible, without end if its result is no number."""
    met: float
    """Share of the last tenth of the evaluations whose own cost meets the limits."""
    rate: np.ndarray
    """[C], cost of an env step in these evaluations."""


class World(NamedTuple):
    """All runs on one environment under one limit, by method."""

    env: str
    limit: tuple[float, ...]
    constraints: tuple[str, ...]
    methods: dict[str, list[Result]]

    @property
    def name(self) -> str:
        """The environment and the limit, if it has one."""
        limit = [f"limit {', '.join(f'{x:g}' for x in self.limit)}"] if self.limit else []
        return ", ".join([self.env or "an environment that is not told", *limit])


def results(
    runs: reading.Runs,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    cost_limit: Sequence[float] = (),
    say: Callable[[str], Any] = warnings.warn,
) -> list[World]:
    """What the runs came to, by environment (with its dialect), limit and method, in the order in which they come.

    `say` hears which runs are left out, and why.
    """
    curves, left = reading.evaluated(runs, select, exclude, cost_limit)
    for reason in left:
        say(f"take care: left out: {reason}")
    return worlds_of(reading.grouped(curves))


def worlds_of(grouped: dict[str, dict[str, list[Curve]]]) -> list[World]:
    """What the curves came to that `curves.grouped` gave."""
    found: dict[tuple, World] = {}
    for curve in (curve for methods in grouped.values() for group in methods.values() for curve in group):
        world = found.setdefault((curve.env, curve.limit), World(curve.env, curve.limit, curve.constraints, {}))
        world.methods.setdefault(curve.method, []).append(_result(curve))
    return list(found.values())


def _result(curve: Curve) -> Result:
    returns, cost = final(curve)
    last, limit = counted(curve), np.array(curve.limit)[: len(cost)]
    sane = bool(np.isfinite([returns, *cost]).all())
    return Result(
        curve=curve,
        returns=returns,
        cost=cost,
        excess=float(np.maximum(0, cost - limit).sum()) if sane else float("inf"),
        met=float(((curve.cost[-last:] <= limit).all(1) & curve.sane[-last:]).mean()),
        rate=cost / curve.length[-last:].mean(),
    )


def summary(world: World, method: str, reference: str) -> dict[str, Any]:
    """All numbers of one method by name; those of constraints as `cost`, `cost_1` ..."""
    runs, base = world.methods[method], world.methods.get(reference)
    count = len(runs[0].cost)
    minutes = [run.curve.minutes[-1] for run in runs]
    row: dict[str, Any] = {
        "seeds": len(runs),
        "steps": [int(run.curve.step[-1]) for run in runs],
        "return": student(returns := np.array([run.returns for run in runs])),
        "return_iqm": _iqm(returns),
        "feasible_seeds": sum(run.excess == 0 for run in runs),
        "feasible_evaluations": float(np.mean([run.met for run in runs])),
        "minutes": float(np.mean(minutes)),
    }
    for i, name in enumerate(one_each("cost", count)):
        cost = np.array([run.cost[i] for run in runs])
        row[name], row[f"{name}_iqm"] = student(cost), _iqm(cost)
    row |= by_constraint("cost_rate", np.mean([run.rate for run in runs], 0).tolist())
    rates = np.mean([run.curve.training_rate[:count] for run in runs], 0)
    row |= by_constraint("training_cost_rate", rates.tolist())
    if base is not None and method != reference:
        row["higher_return"] = chance([_places([[(_low(run.returns),) for run in group] for group in (runs, base)])])
        row["better"] = chance([ranked(runs, base)])
    return row


def chance(pairs: list[list[np.ndarray]]) -> Estimate:
    """How likely a run of ours stands above one of theirs, [ours, theirs] in each world; NaN where a side has too few runs."""
    if min(len(side) for pair in pairs for side in pair) < ENOUGH:
        return Estimate(float("nan"))
    return improvement([ours for ours, _ in pairs], [theirs for _, theirs in pairs])


def _iqm(values: np.ndarray) -> Estimate:
    """The interquartile mean, which must not cut off as an outlier what is no number."""
    return bootstrapped([values]) if np.isfinite(values).all() else Estimate(float("nan"))


def ranked(*groups: list[Result]) -> list[np.ndarray]:
    """Runs of one world as numbers that are higher where a run is better; equal runs, equal numbers.

    Better is what `best/` of a run folder holds to be better: feasible before infeasible, then the higher return; of two
    infeasible ones the smaller excess, then the return.
    """
    return _places([[(-run.excess, _low(run.returns)) for run in group] for group in groups])


def _places(keys: list[list[tuple]]) -> list[np.ndarray]:
    """Keys as numbers in their order."""
    order = {key: float(place) for place, key in enumerate(sorted({key for group in keys for key in group}))}
    return [np.array([order[key] for key in group]) for group in keys]


def _low(returns: float) -> float:
    """What is no number stands below all numbers."""
    return returns if np.isfinite(returns) else float("-inf")


def normalised(world: World) -> dict[str, np.ndarray]:
    """Return at feasibility of each run, in [0, 1], by method.

    A run that is not feasible scores 0. A feasible one scores (r - low) / (high - low), with r its final return, low the
    lowest final return of all runs of all methods in this world, feasible or not, and high the highest of its feasible
    ones; if these are equal, 1. So the best feasible run scores 1, whatever an infeasible one earned, and 0 also says "the
    worst of all". The range is that of the methods compared: scores of two comparisons cannot be mixed.
    """
    runs = [run for group in world.methods.values() for run in group]
    low = min((run.returns for run in runs if np.isfinite(run.returns)), default=0.0)
    high = max((run.returns for run in runs if run.excess == 0), default=low)
    span = high - low

    def score(run: Result) -> float:
        return 0.0 if run.excess > 0 else (run.returns - low) / span if span > 0 else 1.0

    return {method: np.array([score(run) for run in group]) for method, group in world.methods.items()}


def overall(worlds: list[World], reference: str) -> dict[str, dict[str, Any]]:
    """Numbers of each method over all worlds; every method must stand in each."""
    scores = [normalised(world) for world in worlds]
    found = {}
    for method in worlds[0].methods:
        strata = [score[method] for score in scores]
        runs = [run for world in worlds for run in world.methods[method]]
        row: dict[str, Any] = {
            "seeds": [len(x) for x in strata],
            "normalised": bootstrapped(strata, lambda x: x.mean(-1)),
            "normalised_iqm": bootstrapped(strata),
            "feasible_seeds": sum(run.excess == 0 for run in runs),
            "feasible_evaluations": float(np.mean([run.met for run in runs])),
        }
        if method != reference and reference in worlds[0].methods:
            pairs = [ranked(world.methods[method], world.methods[reference]) for world in worlds]
            row["better"] = chance(pairs)
        found[method] = row
    return found


def shared(worlds: list[World]) -> list[World]:
    """The worlds in which every method stands, with the methods in one order."""
    names = list(dict.fromkeys(name for world in worlds for name in world.methods))
    whole = [world for world in worlds if len(world.methods) == len(names) and world.constraints]
    return [world._replace(methods={name: world.methods[name] for name in names}) for world in whole]
