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
    cost_name,
    evaluated,
    highest_of,
    legend,
    limits_drawn,
    limits_of,
    saved,
    seeds_of,
    short,
    spread,
    titled,
)
from bridle.study.care import apart
from bridle.study.looks import Look
from bridle.study.seeds import Summary, final, met, smoothed, summaries
from bridle.study.series import AXES, Curve

FEW = 60
"""Evaluations up to which each is a point."""
APART = 14.0
"""Points between two words at the ends of lines."""


def draw(
    env: str, methods: dict[str, list[Curve]], looks: dict[str, Look], stem: Path, x: str = "step", smooth: int = 1
) -> list[Path]:
    """One figure: return above, a panel for each cost below it; `STEM.png` and `STEM.svg`.

    `smooth`: evaluations round each whose mean is drawn; the numbers at the ends are of `final`, whatever it is.
    """
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: it needs no screen and leaves no state
    from matplotlib.lines import Line2D

    panels = 1 + len(next(iter(methods.values()))[0].constraints)
    with matplotlib.rc_context(STYLE):
        shares = [3] + [2] * (panels - 1)
        room = APART / 72 * len(methods) * sum(shares) / min(shares)  # for the words at the ends in the lowest panel
        figure = Figure(figsize=(8.4, max(3.1 + 2.1 * (panels - 1), 1.2 + room)), layout="constrained")
        grid = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=shares)
        top, *bottoms = grid[:, 0]
        ends: list[list[Any]] = [[] for _ in range(panels)]
        beside = len(methods) > 1 and not are_long(methods)
        for name, curves in methods.items():
            _method([top, *bottoms], curves, looks[name], x, smooth, ends, named=beside)
        _dress(top, bottoms, env, methods, x, smooth)
        if len(methods) > 1 and not beside:
            legend(figure, [Line2D([], [], lw=2.4, **_style(looks[name])) for name in methods], list(methods))
        figure.draw_without_rendering()  # so that places on the paper are known
        for axes, labels in zip([top, *bottoms], ends, strict=True):
            _label_ends(axes, labels)
        return saved(figure, stem)


def _method(panels, curves: list[Curve], look: Look, x: str, smooth: int, ends: list[list[Any]], named: bool) -> None:
    """The lines of one method in all panels; what stands at their right ends is added to `ends`."""
    summed = summaries(curves, x, smooth)
    within = met(summed, curves[0].limit)
    results = np.mean([np.append(*final(curve)) for curve in curves], 0)
    for i, (axes, summary) in enumerate(zip(panels, summed, strict=True)):
        seeds = [smoothed(np.column_stack([curve.returns, curve.cost])[:, i], smooth) for curve in curves]
        for curve, seed in zip(curves, seeds, strict=True) if len(curves) > 1 else ():
            alone = {"alpha": 0.22, "lw": 0.8} if len(summary.x) else {"alpha": 0.8, "lw": 1.2, "marker": ".", "ms": 4}
            axes.plot(curve.along(x), seed, color=look.colour, **alone)
        if len(summary.x):
            _line(axes, summary, look, within)
        number = f"{results[i]:.0f}" if i == 0 and abs(results[i]) >= 100 else f"{results[i]:.1f}"
        told = [line[np.isfinite(line)][-1:] for line in ([summary.mean] if len(summary.x) else seeds)]
        end = float(np.mean(last)) if len(last := np.concatenate(told)) else np.nan
        ends[i].append((end, f"{curves[0].label}  {number}" if named else number, look.colour))


def _style(look: Look) -> dict[str, Any]:
    """Of a line within the limit; its points are those of the method where its colour has come before."""
    return {
        "color": look.colour,
        "ls": look.line,
        "marker": look.marker if look.turn else "o",
        "ms": 5 if look.turn else 3.2,
    }


def _line(axes, summary: Summary, look: Look, within: np.ndarray) -> None:
    """Thick where the mean cost meets every limit, thin and dotted where it does not; a point alone is a ring there."""
    axes.fill_between(summary.x, summary.low, summary.high, color=look.colour, alpha=0.15, lw=0)
    ring = {"marker": look.marker if look.turn else "o", "ms": 6.5, "mfc": "white", "mew": 1.4, "clip_on": False}
    lonely = np.isfinite(summary.mean).sum() == 1
    axes.plot(summary.x, summary.mean, color=look.colour, lw=1.4, ls=(0, (1, 1.6)), **(ring if lonely else {}))
    full = np.where(within, summary.mean, np.nan)  # a stretch between two points is feasible if both are
    style = _style(look) | ({"ms": 0} if len(summary.x) >= FEW else {})
    axes.plot(summary.x, full, lw=2.4, clip_on=False, **style)


def _dress(top, bottoms, env: str, methods: dict[str, list[Curve]], x: str, smooth: int) -> None:
    """Titles, limits, axes."""
    from matplotlib.ticker import FuncFormatter

    curves = [curve for group in methods.values() for curve in group]
    facts = [seeds_of(methods) + ("" if apart(methods, x) else band_of(methods)), evaluated(curves)]
    titled(top, env, methods, [*facts, *([f"smoothed over {smooth}"] if smooth > 1 else [])])
    top.set_ylabel("return")
    for i, axes in enumerate(bottoms):
        axes.set_ylabel(cost_name(curves[0], i))
        limits_drawn(axes, limits_of(methods, i), highest_of(*(curve.cost[:, i] for curve in curves)))
    last = bottoms[-1] if bottoms else top
    last.set_xlabel(AXES[x], loc="left", color=INK)
    last.set_xlim(0, max(curve.along(x)[-1] for curve in curves))
    last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if bottoms:
        last.annotate(
            "thick: mean cost within the limit · dotted or ringed: above it", (1, 0), (0, -30), "axes fraction",
            textcoords="offset points", ha="right", va="center", color=SOFT, fontsize=9,
        )  # fmt: skip


def _label_ends(axes, labels: list[tuple[float, str, str]]) -> None:
    """A word at the right end of each line, pushed apart where they would overlap; at the foot, where nothing is a number."""
    scale = 72.0 / axes.figure.dpi
    foot = axes.get_ylim()[0]
    ends = [end if np.isfinite(end) else foot for end, _, _ in labels]
    places = [axes.transData.transform((0.0, end))[1] * scale for end in ends]
    low, high = axes.bbox.y0 * scale + APART / 2, axes.bbox.y1 * scale
    near = min(APART, (high - low) / max(1, len(labels) - 1))
    shifts = spread(places, near, low, high) - places
    for (_, text, colour), end, shift in zip(labels, ends, shifts, strict=True):
        axes.annotate(
            text, (1.0, end), (7, shift), ("axes fraction", "data"),
            textcoords="offset points", color=colour, fontweight="bold", va="center", annotation_clip=False,
        )  # fmt: skip
