"""What all pictures share: colours, the ground that is feasible, titles, words on a paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bridle.study.curves import Curve

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B4B8A")
"""After Okabe and Ito (2008): told apart by colour-blind readers too."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, SOFT, FAINT, FEASIBLE = "#20262E", "#5B6570", "#8A929C", "#2E9E6B"
WIDTH = 104
"""Letters of a line of facts."""
STYLE = {
    "font.size": 11,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E9ED",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "bridle",
}


def colours(count: int) -> list[str]:
    """A colour for each of `count` methods."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def several(numbers: Iterable[int]) -> str:
    """`3`, `2 to 5`."""
    least, most = min(numbers := list(numbers)), max(numbers)
    return f"{least}" if least == most else f"{least} to {most}"


def evaluated(curves: list[Curve]) -> str:
    """How many episodes an evaluation has, and how they act; of other tools too."""
    episodes = {curve.episodes for curve in curves if curve.episodes}
    first = [f"{several(episodes)} episodes an evaluation"] if episodes else []
    return ", ".join([*first, *dict.fromkeys(curve.acting for curve in curves if curve.acting)])


def titled(axes, env: str, methods: dict[str, list[Curve]], facts: list[str], width: int = WIDTH) -> None:
    """The environment (and the method, if it is one) above `axes`, and lines of facts of `width` letters."""
    curves = [curve for group in methods.values() for curve in group]
    name, *rest = (env or "an environment that is not told").split(", ")
    title = name if len(methods) > 1 else f"{curves[0].label} on {name}"
    lines = _lines([*rest, *facts], width)
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=10 + 14 * len(lines))
    axes.annotate(
        "\n".join(lines), (0, 1), (0, 8), "axes fraction", textcoords="offset points", color=SOFT, fontsize=10,
    )  # fmt: skip


def _lines(facts: list[str], width: int) -> list[str]:
    """Facts in as few lines as hold them whole."""
    lines = facts[:1]
    for fact in facts[1:]:
        longer = f"{lines[-1]} · {fact}"
        lines = [*lines[:-1], longer] if len(longer) <= width else [*lines, fact]
    return [part for line in lines for part in textwrap.wrap(line, width, break_on_hyphens=False)]


def seeds_of(methods: dict[str, list[Curve]]) -> str:
    """`3 seeds`, `1 to 3 seeds`."""
    seeds = [len(group) for group in methods.values()]
    return f"{several(seeds)} seed{'s' if max(seeds) > 1 else ''}"


def cost_name(curve: Curve, i: int) -> str:
    """What an axis says of constraint `i`."""
    word = curve.constraints[i]
    return "cost of an episode" if word == "cost" else f"cost: {word}"


def limits_of(methods: dict[str, list[Curve]], i: int) -> list[float]:
    """The limits of constraint `i`, smallest first."""
    return sorted({curve.limit[i] for group in methods.values() for curve in group})


def limits_drawn(axes, limits: list[float], highest: float, upright: bool = False) -> None:
    """The dashed line of each limit across an axis of costs, green ground where one limit is met; sets the axis' range.

    `upright`: costs run along x.
    """
    from matplotlib.patheffects import withStroke

    end = 1.06 * max(highest, 1.8 * max(limits), 1e-9)
    (axes.set_xlim if upright else axes.set_ylim)(0, end)
    if len(limits) == 1:
        (axes.axvspan if upright else axes.axhspan)(0, limits[0], color=FEASIBLE, alpha=0.09, lw=0)
    for limit in limits:
        (axes.axvline if upright else axes.axhline)(limit, color=INK, lw=1.2, ls=(0, (5, 3)))
        where = {"xy": (limit, 1), "xycoords": ("data", "axes fraction"), "xytext": (4, -12)}
        if not upright:
            where = {"xy": (0, limit), "xycoords": ("axes fraction", "data"), "xytext": (6, 4)}
        halo = [withStroke(linewidth=3, foreground="white", alpha=0.85)]  # curves may run behind the word
        axes.annotate(f"limit {limit:g}", **where, textcoords="offset points", fontsize=9.5, path_effects=halo)


def saved(figure, stem: Path) -> list[Path]:
    """`STEM.png` and `STEM.svg`."""
    paths = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
    figure.savefig(paths[0], dpi=160)
    figure.savefig(paths[1], metadata={"Date": None})
    return paths


def short(value: float) -> str:
    """`1.5M`, `300k`, `40`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def spread(values: list[float], apart: float) -> np.ndarray:
    """Places near `values` that keep `apart` from each other, in the same order."""
    order = np.argsort(values, kind="stable")
    shifted = np.array(values, float)[order]
    for i in range(1, len(shifted)):
        shifted[i] = max(shifted[i], shifted[i - 1] + apart)
    shifted -= max(0.0, (shifted - np.array(values, float)[order]).mean())
    places = np.empty(len(shifted))
    places[order] = shifted
    return places
