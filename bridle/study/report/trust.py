"""Does a model deserve trust? What it imagines beside what was lived, its doubt beside its error, and how far it is followed.

Along env steps, means over the seeds of a method; a method that learns no model has no traces here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bridle.study.axes import FAINT
from bridle.study.looks import Look
from bridle.study.report.layout import BELOW, Figure, Methods, key, literal, plain, ref, stacked, title
from bridle.study.seeds import averaged
from bridle.study.series import AXES, Curve

TALL = 330
"""Pixels of the panels of a figure."""
DASHES = "6px,4px"
"""Of what is imagined, and of means."""
SAID = "%{fullData.name}<br>%{x:,.4~r}: <b>%{y:.4~r}</b>"
"""What stands at the mouse."""
BY_HORIZON = ("error", "doubt", "rank correlation")
"""What is told of a model so many steps ahead."""


class Told(NamedTuple):
    """A figure with what is said of it."""

    name: str
    figure: Figure
    about: str


def trust(methods: Methods, looks: dict[str, Look]) -> list[Told]:
    """The figures that the runs tell enough for."""
    found = [_steps(methods, looks), _paths(methods, looks), _calibration(methods, looks), _horizons(methods, looks)]
    return [told for told in found if told and told.figure.data]


def _steps(methods: Methods, looks: dict[str, Look]) -> Told:
    panels = {"reward a step": "reward", "cost a step": "cost"}
    figure = _compared(methods, looks, panels, lambda curve, world, name: curve.logged(f"{world}_{name}"))
    about = (
        "Reward and cost of a step, real (solid) and imagined (dashes); mean over the seeds of a method, as below. Imagined "
        "paths begin and end elsewhere than episodes do, so a small gap is not yet an error of the model."
    )
    return Told("steps", figure, about)


def _paths(methods: Methods, looks: dict[str, Look]) -> Told | None:
    """Over the longest stretch that every method tells of which tells of any."""
    each = [set(told) for group in methods.values() if (told := horizons_of(group))]
    if not each or not (common := set.intersection(*each)):
        return None
    h = max(common)
    over = f"over {h} step{'s' * (h > 1)}"
    panels = {f"reward {over}": f"return_{h}", f"cost {over}": f"cost_{h}"}

    def of(curve: Curve, world: str, name: str) -> np.ndarray:
        return np.where(_whole(curve, h), curve.logged(f"{world}_{name}"), np.nan)

    about = (
        f"Sums {over} of experience that the model has not learned from: real (solid), and as the model tells it from the same "
        "observation on, with the actions that were taken (dashes). A gap is an error of the model."
    )
    return Told("paths", _compared(methods, looks, panels, of), about)


def _compared(
    methods: Methods, looks: dict[str, Look], panels: dict[str, str], of: Callable[[Curve, str, str], np.ndarray]
) -> Figure:
    """Real and imagined, a panel below the other: titles and names of metrics, `of` curve, world and name a column [R]."""
    example = next(iter(methods.values()))[0]
    shown = list(panels.items())[: 2 if example.constraints else 1]
    traces = []
    for i, (_, metric) in enumerate(shown):
        for method, group in methods.items():
            for world, dash in (("real", "solid"), ("imagined", DASHES)):
                summary = averaged(group, lambda curve, world=world, metric=metric: of(curve, world, metric))
                line = _line(summary.x, summary.mean, looks[method], i) | _said(f"{method}, {world}")
                line["line"] |= {"dash": dash, "width": 1.8}
                traces.append(line)
    figure = _along(traces, [name for name, _ in shown])
    figure.layout[key("y", len(shown) - 1)]["rangemode"] = "tozero" if example.constraints else "normal"
    return figure


def _calibration(methods: Methods, looks: dict[str, Look]) -> Told:
    traces: list[dict[str, Any]] = []
    for method, group in methods.items():
        ahead = horizons_of(group)
        for i, name in enumerate(BY_HORIZON if ahead else ()):
            line = _line(ahead, [_final(group, name.partition(" ")[0], h) for h in ahead], looks[method], i)
            mark = {"size": 6, "color": looks[method].colour, "symbol": looks[method].symbol}
            said = "%{fullData.name}, %{x} ahead: <b>%{y:.3~r}</b><extra></extra>"
            traces.append(line | _said(method, said) | {"mode": "lines+markers", "marker": mark, "cliponaxis": False})
    layout = _layout(list(BY_HORIZON))
    ticks = sorted({h for trace in traces for h in trace["x"]})
    layout["xaxis"] |= {"title": title("steps ahead"), "tickvals": ticks, "rangemode": "tozero"}
    for i in range(2):
        layout[key("y", i)]["rangemode"] = "tozero"
    ranks = [y for trace in traces if trace["yaxis"] == ref("y", 2) for y in trace["y"] if np.isfinite(y)]
    layout[key("y", 2)] |= {
        "range": [min([0.0, *(y - 0.1 for y in ranks)]), 1.0],
        "zeroline": True,
        "zerolinecolor": FAINT,
    }
    about = (
        "Is doubt calibrated? On experience that the model has not learned from, mean over the last tenth of a run. Error: "
        "root mean square, in standard deviations of an observation; 1 is as wrong as always guessing the mean. Doubt: how "
        "far the members of the ensemble disagree, summed along the path. Rank correlation of the two over paths: 1 where "
        "doubt tells which paths go wrong, 0 where it tells nothing."
    )
    return Told("calibration", Figure(traces, layout), about)


def _horizons(methods: Methods, looks: dict[str, Look]) -> Told:
    traces = []
    for method, group in methods.items():
        look = looks[method]
        least, first, median, third, most = (averaged(group, _column(f"horizon_q{k}")) for k in range(5))
        mean = averaged(group, _column("horizon"))
        if len(median.x):
            x, y = np.append(median.x, median.x[::-1]), np.append(third.mean, first.mean[::-1])
            band = {"fill": "toself", "fillcolor": look.faint(0.18), "line": {"width": 0}, "hoverinfo": "skip"}
            line = _line(median.x, median.mean, look, 0) | _said(f"{method}, median", SAID + "%{customdata}")
            spread = zip(least.mean, first.mean, third.mean, most.mean, strict=True)
            line["customdata"] = [
                f"<br>middle half {b:.3g} to {c:.3g}, all {a:.3g} to {d:.3g}" for a, b, c, d in spread
            ]
            traces += [_line(x, y, look, 0) | band, line]
        if len(mean.x):
            line = _line(mean.x, mean.mean, look, 0) | _said(f"{method}, mean")
            line["line"] |= {"dash": DASHES, "width": 1.4}
            traces.append(line)
    figure = _along(traces, ["steps of an imagined path"])
    figure.layout["yaxis"]["rangemode"] = "tozero"
    return Told(
        "horizons", figure, "Length of imagined paths: median (solid), middle half (band) and mean (dashes) of a round."
    )


def horizons_of(group: list[Curve]) -> list[int]:
    """So many steps ahead the model of these runs was compared with the world."""
    names = {
        name: match for curve in group for name in curve.metrics if (match := re.fullmatch(r".+/error_(\d+)", name))
    }
    found = sorted({int(match[1]) for match in names.values()})
    return [h for h in found if any(_whole(curve, h).any() for curve in group)]


def _whole(curve: Curve, h: int) -> np.ndarray:
    """[R]: which rows compare model and world; without a stretch of that length all is 0."""
    return np.nan_to_num(curve.logged(f"error_{h}")) > 0


def _final(group: list[Curve], name: str, h: int) -> float:
    """Mean over seeds and the last tenth of what they tell."""
    each = [values for curve in group if len(values := curve.logged(f"{name}_{h}")[_whole(curve, h)])]
    return float(np.mean([values[-max(1, round(len(values) / 10)) :].mean() for values in each]))


def _column(name: str) -> Callable[[Curve], np.ndarray]:
    return lambda curve: curve.logged(name)


def _line(x, y, look: Look, panel: int) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "yaxis": ref("y", panel),
        "line": {"color": look.colour, "width": 2}, "meta": {"method": look.number},
    }  # fmt: skip


def _said(name: str, template: str = SAID) -> dict[str, Any]:
    return {"name": literal(name), "hovertemplate": template + "<extra></extra>"}


def _along(traces: list[dict[str, Any]], names: list[str]) -> Figure:
    """Panels along env steps."""
    traces = [trace for trace in traces if len(trace["x"])]
    layout = _layout(names)
    end = max((float(np.max(trace["x"])) for trace in traces), default=1.0)
    layout["xaxis"] |= {"title": title(AXES["step"]), "range": [0, 1.01 * end]}
    return Figure(traces, layout)


def _layout(names: list[str]) -> dict[str, Any]:
    """One panel below the other, by the titles of their axes."""
    layout = plain(TALL + BELOW, left=64) | stacked([TALL // len(names)] * len(names))
    for i, name in enumerate(names):
        layout[key("y", i)]["title"] = title(name)
    return layout
