"""What all pictures share: inks, the ground that is feasible, titles, words on a paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bridle.maths.statistics import ENOUGH
from bridle.study.care import repeated
from bridle.study.out import writing
from bridle.study.seeds import counted
from bridle.study.series import Curve

PICTURES = (".png", ".svg")
"""What a figure is saved as."""
INK, SOFT, FAINT, FEASIBLE = "#20262E", "#5B6570", "#8A929C", "#2E9E6B"
WIDTH = 104
"""Letters of a line of facts."""
LONG = 24
"""Letters of a name beyond which it does not stand beside what is drawn."""
MANY = 12
"""Names beyond which they do not stand beside what is drawn."""
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


def several(numbers: Iterable[int]) -> str:
    """`3`, `1 or 2`, `2 to 5`."""
    least, most = min(numbers := list(numbers)), max(numbers)
    return f"{least}" if least == most else f"{least} {'or' if most == least + 1 else 'to'} {most}"


def many(numbers: Iterable[int], noun: str) -> str:
    """`1 seed`, `1 or 2 seeds`, `2 to 5 seeds`."""
    return f"{several(numbers := list(numbers))} {noun}{'s' if max(numbers) > 1 else ''}"


def last_of(curves: Iterable[Curve]) -> str:
    """`the last 2 evaluations`: those that final results are the mean of."""
    numbers = [counted(curve) for curve in curves]
    return "the last evaluation" if max(numbers) == 1 else f"the last {many(numbers, 'evaluation')}"


def evaluated(curves: list[Curve]) -> str:
    """How many episodes an evaluation has, and how they act; of other tools too."""
    episodes = {curve.episodes for curve in curves if curve.episodes}
    first = [f"{many(episodes, 'episode')} an evaluation"] if episodes else []
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
    """`3 seeds`, `1 to 3 seeds`, `4 runs, not all of different seeds`."""
    seeds = [len(group) for group in methods.values()]
    if any(map(repeated, methods.values())):
        return f"{several(seeds)} runs, not all of different seeds"
    return many(seeds, "seed")


def band_of(methods: dict[str, list[Curve]]) -> str:
    """What line and band of a curve are, behind `seeds_of`."""
    fewest = min(map(len, methods.values()))
    return ", mean and 95 % interval" if fewest >= ENOUGH else ", mean and range" if fewest == 2 else ""


def cost_name(curve: Curve, i: int) -> str:
    """What an axis says of constraint `i`."""
    word = curve.constraints[i]
    return "cost of an episode" if word == "cost" else f"cost: {word}"


def limits_of(methods: dict[str, list[Curve]], i: int) -> list[float]:
    """The limits of constraint `i`, smallest first."""
    return sorted({curve.limit[i] for group in methods.values() for curve in group})


def cost_end(limits: list[float], highest: float) -> float:
    """Where an axis of costs ends that shows the limits and the highest cost."""
    return 1.06 * max(highest, 1.8 * max(limits), 1e-9)


def clipped(limits: list[float], pools: list[np.ndarray]) -> float:
    """The highest cost that a box plot shows: 4 times the limit, where what lies beyond would squash another method within."""
    highest, most = max(highest_of(pool) for pool in pools), 4 * max(limits)
    within = [pool for pool in pools if len(pool) and pool.max() <= most]
    return most if highest > most > 0 and within else highest


def beyond(pool: np.ndarray, end: float) -> str:
    """What is said of a method whose costs go on beyond the end of the axis, or are no numbers; "" of others."""
    if not len(pool):
        return "not a number"
    if pool.max() <= end:
        return ""
    told = f"median {np.median(pool):.4g}" if np.median(pool) > end else f"up to {pool.max():.4g}"
    return f"{told} \N{RIGHTWARDS ARROW}"


def highest_of(*values: np.ndarray) -> float:
    """The highest number among them; 0 if there is none."""
    return float(max((np.nanmax(x) for x in values if np.isfinite(x).any()), default=0.0))


def no_closer(values: np.ndarray) -> tuple[float, float]:
    """A range with margins, of at least a tenth of the values, so that seeds which agree look as if they did."""
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    middle, reach = (values.max() + values.min()) / 2, (values.max() - values.min()) / 2
    reach = max(1.25 * reach, 0.05 * np.abs(values).max(), 1e-9)
    return float(middle - reach), float(middle + reach)


def limits_drawn(axes, limits: list[float], highest: float, upright: bool = False) -> None:
    """The dashed line of each limit across an axis of costs, green ground where one limit is met; sets the axis' range.

    `upright`: costs run along x.
    """
    from matplotlib.patheffects import withStroke

    (axes.set_xlim if upright else axes.set_ylim)(0, cost_end(limits, highest))
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
    paths = [stem.with_name(stem.name + suffix) for suffix in PICTURES]
    with writing(paths[0]):
        figure.savefig(paths[0], dpi=160)
    with writing(paths[1]):
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def short(value: float) -> str:
    """`1.5M`, `300k`, `40`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def spread(values: list[float], apart: float, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """Places in [low, high] in the same order, `apart` from each other, as near to `values` as can be.

    Less n times `apart`, the n-th place may stand where the one before it does: that is isotonic regression, by pooling
    neighbours that are in each other's way.
    """
    order, steps = np.argsort(values, kind="stable"), apart * np.arange(len(values))
    pools: list[tuple[float, int]] = []
    for value in np.array(values, float)[order] - steps:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, m), (other, n) = pools[-2:]
            pools[-2:] = [((one * m + other * n) / (m + n), m + n)]
    near = np.repeat([mean for mean, _ in pools], [count for _, count in pools])
    places = np.empty(len(values))
    places[order] = np.clip(near, low, max(low, high - apart * (len(values) - 1))) + steps
    return places


def wrapped(name: str, width: int = LONG) -> str:
    """A name in lines that a picture has room for; a setting stays beside its value."""
    return textwrap.fill(", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in name.split(", ")), width)


def are_long(names: Iterable[str]) -> bool:
    """Would these names take the room of what is drawn, if they stood beside it?"""
    return max(map(len, names)) > LONG


def legend(figure, handles: list, names: list[str]) -> None:
    """Beside what is drawn; below it, where names are long, and the picture grows."""
    if not are_long(names) and len(names) <= MANY:
        figure.legend(handles, names, loc="outside right upper", frameon=False)
        return
    width = int(10 * figure.get_figwidth())
    columns = max(1, min(3, int(1.3 * width / (max(map(len, names)) + 8)), len(names)))
    names = [wrapped(name, width) for name in names]
    lines = max(sum(name.count("\n") + 1 for name in names[i::columns]) for i in range(columns))
    figure.set_figheight(figure.get_figheight() + 0.25 * lines)
    figure.legend(handles, names, loc="outside lower left", frameon=False, ncols=columns, handlelength=3)
