"""Where trainings have come to: a box plot of converged cost, and the plane of return and cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bridle.study.axes import (
    INK,
    SOFT,
    STYLE,
    beyond,
    clipped,
    cost_name,
    evaluated,
    highest_of,
    last_of,
    legend,
    limits_drawn,
    limits_of,
    no_closer,
    saved,
    seeds_of,
    titled,
    wrapped,
)
from bridle.study.looks import Look
from bridle.study.seeds import counted, final
from bridle.study.series import Curve

ROW, LINE = 0.62, 0.2
"""Inches: the least height of a row of boxes, and that of a line of its name."""


def box(env: str, methods: dict[str, list[Curve]], looks: dict[str, Look], stem: Path) -> list[Path]:
    """A row for each method: the costs of the last tenth of the evaluations of all its seeds, beside the limit.

    The box holds the middle half with the median, the whiskers reach to the ends, a point is an evaluation, and the
    diamond is the mean, which is what the limit bounds. Costs that would squash the others are cut off, and told there.
    """
    import matplotlib
    from matplotlib.figure import Figure

    example, named = next(iter(methods.values()))[0], len(methods) > 1
    panels = max(1, len(example.constraints))
    names = [wrapped(name) if named else "" for name in methods]
    row = max(ROW, LINE * (1 + max(name.count("\n") + 1 for name in names)))
    with matplotlib.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure = Figure(figsize=(8.4 + 3.6 * (panels - 1), 1.9 + row * len(methods)), layout="constrained")
        grid = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
        for i, axes in enumerate(grid[: len(example.constraints)]):
            found, limits = pools(methods, i), limits_of(methods, i)
            end = clipped(limits, found)
            limits_drawn(axes, limits, end, upright=True)
            for place, (name, pool) in enumerate(zip(methods, found, strict=True)):
                _box(axes, place, pool, looks[name].colour, axes.get_xlim()[1])
            axes.set_xlabel(cost_name(example, i), loc="left", color=INK)
        grid[0].set_yticks(range(len(methods)), names, fontweight="bold")
        for text, name in zip(grid[0].get_yticklabels(), methods, strict=True):
            text.set_color(looks[name].colour)
        grid[0].set_ylim(len(methods) - 0.45, -0.55)
        curves = [curve for group in methods.values() for curve in group]
        last = f"{last_of(curves).removeprefix('the ')} of each seed"
        titled(grid[0], env, methods, [f"{last}, {seeds_of(methods)}", evaluated(curves)])
        _legend_below(grid[-1], "box: middle half · whiskers: all · diamond: mean")
        return saved(figure, stem)


def pools(methods: dict[str, list[Curve]], i: int) -> list[np.ndarray]:
    """For each method the converged costs of constraint `i`: of the last tenth of the evaluations of all its seeds.

    Without what is no number.
    """
    found = [np.concatenate([c.cost[-counted(c) :, i] for c in curves]) for curves in methods.values()]
    return [pool[np.isfinite(pool)] for pool in found]


def apart(count: int) -> np.ndarray:
    """How far off the middle of a row its points stand: apart from each other, and the same each time."""
    return 0.16 * np.sin(2.4 * np.arange(count))


def _box(axes, row: int, pool: np.ndarray, colour: str, end: float) -> None:
    """One row; `end` of the axis."""
    if text := beyond(pool, end):
        axes.annotate(
            text, (1, row), (-4, 20), ("axes fraction", "data"), textcoords="offset points", ha="right", va="center",
            color=colour, fontweight="bold", fontsize=9.5,
        )  # fmt: skip
    if not len(pool):
        return
    axes.boxplot(
        pool, positions=[row], orientation="horizontal", widths=0.5, whis=(0, 100), showfliers=False, manage_ticks=False,
        patch_artist=True, boxprops={"facecolor": colour + "30", "edgecolor": colour, "lw": 1.4},
        medianprops={"color": colour, "lw": 2.2}, whiskerprops={"color": colour, "lw": 1.4},
        capprops={"color": colour, "lw": 1.4},
    )  # fmt: skip
    seen, mean = pool <= end, pool.mean()
    axes.plot(pool[seen], (row + apart(len(pool)))[seen], "o", ms=3.4, color=colour, alpha=0.5, mew=0, clip_on=False)
    if mean <= end:
        axes.plot(mean, row, "D", ms=7.5, color=colour, mec="white", mew=1.2, zorder=5, clip_on=False)


def plane(env: str, methods: dict[str, list[Curve]], looks: dict[str, Look], stem: Path) -> list[Path]:
    """Return over cost: a point for each seed (its last tenth of evaluations), a great one for the mean of a method.

    Where there are several constraints, each has a panel of its own. Good is up, and left of the line.
    """
    import matplotlib
    from matplotlib.figure import Figure

    example = next(iter(methods.values()))[0]
    panels = max(1, len(example.constraints))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4 + 4.0 * (panels - 1), 5.0), layout="constrained")
        grid = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
        results = {name: [final(curve) for curve in curves] for name, curves in methods.items()}
        for i, axes in enumerate(grid[: len(example.constraints)]):
            highest = highest_of(np.array([c[i] for found in results.values() for _, c in found]))
            for name, found in results.items():
                look, cost, returns = looks[name], np.array([c[i] for _, c in found]), np.array([r for r, _ in found])
                axes.plot(cost, returns, look.marker, ms=6, color=look.colour, alpha=0.55, mew=0, clip_on=False)
                axes.plot(
                    cost.mean(), returns.mean(), look.marker, ms=13, color=look.colour, mec="white", mew=1.6, zorder=5,
                    clip_on=False, label=name,
                )  # fmt: skip
            limits_drawn(axes, limits_of(methods, i), highest, upright=True)
            axes.set_xlabel(cost_name(example, i), loc="left", color=INK)
        grid[0].set_ylabel("return")
        grid[0].set_ylim(*no_closer(np.array([r for found in results.values() for r, _ in found])))
        curves = [curve for group in methods.values() for curve in group]
        last = f"mean of {last_of(curves)}"
        titled(grid[0], env, methods, [f"{last}, {seeds_of(methods)}", evaluated(curves)], 76)
        if len(methods) > 1:
            legend(figure, *grid[0].get_legend_handles_labels())
        _legend_below(grid[-1], "small: a seed · great: mean of the method")
        return saved(figure, stem)


def _legend_below(axes, text: str) -> None:
    axes.annotate(
        text, (1, 0), (0, -30), "axes fraction", textcoords="offset points", ha="right", va="center", color=SOFT,
        fontsize=9,
    )  # fmt: skip
