"""Several seeds of one method: what each came to, and their mean with its band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bridle.maths.statistics import ENOUGH, student
from bridle.study.series import Curve, Series


def counted(curve: Curve) -> int:
    """How many of the last evaluations a result is the mean of."""
    return max(1, round(len(curve.step) / 10))


def final(curve: Curve) -> tuple[float, np.ndarray]:
    """Return and cost [C] as results are reported: the mean of the last tenth of the evaluations; NaN if one is no number."""
    last = counted(curve)
    return float(curve.returns[-last:].mean()), curve.cost[-last:].mean(0)


def smoothed(y: np.ndarray, window: int) -> np.ndarray:
    """The mean of `window` evaluations round each; of fewer at the ends. y [L]: [L]."""
    before, after = (window - 1) // 2, window // 2
    return np.array([y[max(0, i - before) : i + after + 1].mean() for i in range(len(y))])


class Summary(NamedTuple):
    """The curves of several seeds on one grid."""

    x: np.ndarray
    """[G]; so are the others. G = 0 where the seeds have no stretch in common."""
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def summaries(series: Sequence[Series], x: str, smooth: int = 1) -> list[Summary]:
    """Return, then each cost, of several seeds along that axis, each smoothed over so many evaluations; see `summarise`."""
    xs = [one.along(x) for one in series]
    columns = zip(*(np.column_stack([one.returns, one.cost]).T for one in series), strict=True)
    return [summarise(xs, [smoothed(y, smooth) for y in ys]) for ys in columns]


def met(summed: list[Summary], limit: Sequence[float]) -> np.ndarray:
    """Where the mean of every cost is at most its limit, of what `summaries` gave. [G]"""
    costs = [summary.mean <= x for summary, x in zip(summed[1:], limit, strict=False)]
    return np.logical_and.reduce([np.ones(len(summed[0].x), bool), *costs])


def summarise(xs: list[np.ndarray], ys: list[np.ndarray]) -> Summary:
    """Mean over seeds where all of them have come, on the union of their grids.

    The band is the 95 % interval of the mean (Student's t) from three seeds on, and the range of two.
    """
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    grid = np.unique(np.concatenate(xs))
    grid = grid[(grid >= first) & (grid <= last)]
    if not len(grid):
        return Summary(grid, grid, grid, grid)
    table = np.stack([np.interp(grid, x, y) for x, y in zip(xs, ys, strict=True)])
    if len(table) < ENOUGH:
        return Summary(grid, table.mean(0), table.min(0), table.max(0))
    mean, low, high = np.array([student(column) for column in table.T]).T
    return Summary(grid, mean, low, high)


def averaged(curves: Sequence[Curve], of: Callable[[Curve], np.ndarray], smooth: float = 0.0) -> Summary:
    """Mean over seeds of a metric along env steps, where `of` a curve is its column [R]; G = 0 where no row tells a number.

    Each seed is smoothed over that part of its rows.
    """
    xs, ys = [], []
    for curve in curves:
        values = of(curve)
        if len(told := np.flatnonzero(np.isfinite(values))):
            xs.append(curve.metrics["step"][told].astype(float))
            ys.append(smoothed(values[told], max(1, round(smooth * len(told)))))
    return summarise(xs, ys) if xs else Summary(*[np.zeros(0)] * 4)
