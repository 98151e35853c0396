"""Curves of return and cost over a training: mean and band over seeds, the cost limit as a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bridle.study.axes import (
    INK,
    SOFT,
    STYLE,
    are_long,
    band_of,
    colours,
    cost_name,
    evaluated,
    legend,
    limits_drawn,
    limits_of,
    saved,
    seeds_of,
    short,
    spread,
    titled,
)
from bridle.study.curves import AXES, Curve
from bridle.study.seeds import Summary, final, met, smoothed, summaries


def draw(env: str, methods: dict[str, list[Curve]], stem: Path, x: str = "step", smooth: int = 1) -> list[Path]:
    """One figure: return above, a panel for each cost below it; `STEM.png` and `STEM.svg`.

    `smooth`: evaluations round each whose mean is drawn; the numbers at the ends are of `final`, whatever it is.
    """
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: it needs no screen and leaves no state
    from matplotlib.lines import Line2D

    panels = 1 + len(next(iter(methods.values()))[0].constraints)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.1 + 2.1 * (panels - 1)), layout="constrained")
        grid = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=[3] + [2] * (panels - 1))
        top, *bottoms = grid[:, 0]
        ends: list[list[Any]] = [[] for _ in range(panels)]
        beside = len(methods) > 1 and not are_long(methods)
        for colour, curves in zip(colours(len(methods)), methods.values(), strict=True):
            _method([top, *bottoms], curves, colour, x, smooth, ends, named=beside)
        _dress(top, bottoms, env, methods, x, smooth)
        if len(methods) > 1 and not beside:
            legend(figure, [Line2D([], [], color=colour, lw=2.4) for colour in colours(len(methods))], list(methods))
        figure.draw_without_rendering()  # so that places on the paper are known
        for axes, labels in zip([top, *bottoms], ends, strict=True):
            _label_ends(axes, labels)
        return saved(figure, stem)


def _method(panels, curves: list[Curve], colour: str, x: str, smooth: int, ends: list[list[Any]], named: bool) -> None:
    """The lines of one method in all panels; what stands at their right ends is added to `ends`."""
    summed = summaries(curves, x, smooth)
    within = met(summed, curves[0].limit)
    results = np.mean([np.append(*final(curve)) for curve in curves], 0)
    for i, (axes, summary) in enumerate(zip(panels, summed, strict=True)):
        for curve in curves if len(curves) > 1 else ():
            seed = np.column_stack([curve.returns, curve.cost])[:, i]
            axes.plot(curve.along(x), smoothed(seed, smooth), color=colour, alpha=0.22, lw=0.8)
        _line(axes, summary, colour, within)
        number = f"{results[i]:.0f}" if i == 0 and abs(results[i]) >= 100 else f"{results[i]:.1f}"
        ends[i].append((summary, f"{curves[0].label}  {number}" if named else number, colour))


def _line(axes, summary: Summary, colour: str, within: np.ndarray) -> None:
    """Solid where the mean cost meets every limit, thin and dotted where it does not."""
    axes.fill_between(summary.x, summary.low, summary.high, color=colour, alpha=0.15, lw=0)
    axes.plot(summary.x, summary.mean, color=colour, lw=1.4, ls=(0, (1, 1.6)))
    solid = np.where(within, summary.mean, np.nan)  # a stretch between two points is feasible if both are
    axes.plot(summary.x, solid, color=colour, lw=2.4, marker="o", ms=3.2 if len(summary.x) < 60 else 0, clip_on=False)


def _dress(top, bottoms, env: str, methods: dict[str, list[Curve]], x: str, smooth: int) -> None:
    """Titles, limits, axes."""
    from matplotlib.ticker import FuncFormatter

    curves = [curve for group in methods.values() for curve in group]
    facts = [seeds_of(methods) + band_of(methods), evaluated(curves)]
    titled(top, env, methods, [*facts, *([f"smoothed over {smooth}"] if smooth > 1 else [])])
    top.set_ylabel("return")
    for i, axes in enumerate(bottoms):
        axes.set_ylabel(cost_name(curves[0], i))
        limits_drawn(axes, limits_of(methods, i), max(float(curve.cost[:, i].max()) for curve in curves))
    last = bottoms[-1] if bottoms else top
    last.set_xlabel(AXES[x], loc="left", color=INK)
    last.set_xlim(0, max(curve.along(x)[-1] for curve in curves))
    last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if bottoms:
        last.annotate(
            "solid: mean cost within the limit · dotted: above it", (1, 0), (0, -30), "axes fraction",
            textcoords="offset points", ha="right", va="center", color=SOFT, fontsize=9,
        )  # fmt: skip


def _label_ends(axes, labels: list[tuple[Summary, str, str]], apart: float = 14.0) -> None:
    """A word at the right end of each line, pushed apart where they would overlap."""
    scale = 72.0 / axes.figure.dpi
    places = [axes.transData.transform((0.0, summary.mean[-1]))[1] * scale for summary, _, _ in labels]
    low, high = axes.bbox.y0 * scale + apart / 2, axes.bbox.y1 * scale
    for (summary, text, colour), place, shifted in zip(labels, places, spread(places, apart, low, high), strict=True):
        axes.annotate(
            text, (1.0, summary.mean[-1]), (7, shifted - place), ("axes fraction", "data"),
            textcoords="offset points", color=colour, fontweight="bold", va="center", annotation_clip=False,
        )  # fmt: skip
