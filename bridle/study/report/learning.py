"""Learning curves of a report: return and costs along a training, of evaluations and of training episodes.

Every trace tells in `meta`, beside its method, the `axis` that it is along and its `part`: mean, band, seed or training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bridle.study.axes import cost_name, highest_of, limits_of
from bridle.study.looks import Look
from bridle.study.report.layout import BELOW, Figure, Methods, key, limits_drawn, literal, plain, ref, stacked, title
from bridle.study.seeds import Summary, met, summaries
from bridle.study.series import AXES, Curve, Series

TOP, PANEL = 300, 210
"""Pixels: the panel of the return, a panel of costs."""
FEW = 60
"""Evaluations up to which each is a point."""


class Spot(NamedTuple):
    """Whose trace, along which axis, in which panel from above."""

    look: Look
    along: str
    panel: int


def learning(methods: Methods, looks: dict[str, Look]) -> Figure:
    """Return above, a panel for each cost below, along every axis that all runs tell; one of them is shown at a time."""
    curves = [curve for group in methods.values() for curve in group]
    costs, axes = len(curves[0].constraints), axes_of(curves)
    evaluated = any(len(curve.step) for curve in curves)
    traces = [t for x in axes for name, group in methods.items() for t in _method(name, group, looks[name], x)]
    for trace in traces:
        told = trace["meta"]
        trace["visible"] = told["axis"] == axes[0] and (told["part"] != "training" or not evaluated)
    layout = plain(TOP + PANEL * costs + BELOW, left=64) | stacked([TOP] + [PANEL] * costs)
    layout["yaxis"]["title"] = title("return")
    ends = {x: 1.01 * max(float(one.along(x)[-1]) for one in series_of(curves)) for x in axes}
    layout["xaxis"] |= {"title": title(AXES[axes[0]]), "range": [0, ends[axes[0]]]}
    layout["meta"] = {"axes": {x: {"title": AXES[x], "end": ends[x]} for x in axes}}
    for i in range(costs):
        shown = [one.cost[:, i] for c in curves if (one := c if evaluated else c.training) is not None]
        layout[key("y", i + 1)]["title"] = title(cost_name(curves[0], i))
        limits_drawn(layout, limits_of(methods, i), highest_of(*shown), "y", i + 1)
    return Figure(traces, layout)


def axes_of(curves: list[Curve]) -> list[str]:
    """The axes that all runs tell; env steps first."""
    return [x for x in AXES if all(np.isfinite(getattr(one, x)).all() for one in series_of(curves))]


def series_of(curves: list[Curve]) -> list[Series]:
    """What there is to draw: evaluations and training episodes that have come."""
    return [one for curve in curves for one in (curve, curve.training) if one is not None and len(one.step)]


def _method(name: str, group: list[Curve], look: Look, x: str) -> list[dict[str, Any]]:
    """The traces of one method along one axis: band, seeds, mean; and what it did in training."""
    found: list[dict[str, Any]] = []
    if curves := [curve for curve in group if len(curve.step)]:
        summed = summaries(curves, x)
        within = met(summed, curves[0].limit)
        for i, summary in enumerate(summed):
            spot = Spot(look, x, i)
            if not len(summary.x):
                found += [_alone(curve, spot) for curve in curves]
                continue
            if len(curves) > 1:
                found += [_band(summary, spot), *(_seed(curve, spot) for curve in curves)]
            found += _mean(summary, within, name, spot)
    if trained := [curve.training for curve in group if curve.training is not None]:
        for i, summary in enumerate(summaries(trained, x)):
            trace = _line(summary.x, summary.mean, Spot(look, x, i), "training")
            trace["line"] |= {"width": 1.2, "dash": "6px,3px"}
            found.append(trace | _said(name, " in training"))
    return found


def _line(x: np.ndarray, y: np.ndarray, spot: Spot, part: str) -> dict[str, Any]:
    look, along, panel = spot
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "yaxis": ref("y", panel), "line": {"color": look.colour},
        "meta": {"method": look.number, "axis": along, "part": part}, "hoverinfo": "skip",
    }  # fmt: skip


def _band(summary: Summary, spot: Spot) -> dict[str, Any]:
    x = np.concatenate([summary.x, summary.x[::-1]])
    trace = _line(x, np.concatenate([summary.high, summary.low[::-1]]), spot, "band")
    return trace | {"fill": "toself", "fillcolor": spot.look.faint(0.16), "line": {"width": 0}}


def _seed(curve: Curve, spot: Spot) -> dict[str, Any]:
    y = np.column_stack([curve.returns, curve.cost])[:, spot.panel]
    trace = _line(curve.along(spot.along), y, spot, "seed")
    trace["line"] = {"color": spot.look.faint(0.4), "width": 0.9}
    return trace | _said(curve.label if curve.seed is None else f"{curve.label}, seed {curve.seed}")


def _alone(curve: Curve, spot: Spot) -> dict[str, Any]:
    """A seed that has nothing in common with the others along this axis: it stands for the mean that there is not."""
    trace = _seed(curve, spot)
    trace["line"] = {"color": spot.look.faint(0.8), "width": 1.3}
    trace["meta"] = trace["meta"] | {"part": "mean"}
    return trace | {"mode": "lines+markers", "marker": {"size": 4.5, "color": spot.look.colour}}


def _mean(summary: Summary, within: np.ndarray, name: str, spot: Spot) -> list[dict[str, Any]]:
    """Dotted all along, and over it thick where the mean cost meets every limit, as `bridle plot` draws it; alone, a ring."""
    dotted = _line(summary.x, summary.mean, spot, "mean")
    dotted["line"] |= {"width": 1.5, "dash": "1.5px,2.5px"}
    mark = {"color": spot.look.colour, "symbol": spot.look.symbol if spot.look.turn else "circle"}
    if np.isfinite(summary.mean).sum() == 1:
        ring = {"size": 9, "color": "white", "line": {"color": spot.look.colour, "width": 1.6}}
        dotted |= {"mode": "lines+markers", "cliponaxis": False, "marker": mark | ring}
    solid = _line(summary.x, np.where(within, summary.mean, np.nan), spot, "mean")
    solid |= {"line": {"color": spot.look.colour, "width": 2.4, "dash": spot.look.dash(2.4)}, "cliponaxis": False}
    if len(summary.x) <= FEW:
        solid |= {"mode": "lines+markers", "marker": mark | {"size": 6 if spot.look.turn else 4.5}}
    ends = zip(summary.low, summary.high, strict=True)
    interval = [f" [{low:.4g}, {high:.4g}]" if high > low else "" for low, high in ends]
    return [dotted | _said(name, "%{customdata}") | {"customdata": interval}, solid]


def _said(name: str, more: str = "") -> dict[str, Any]:
    """What stands at the mouse."""
    template = "%{fullData.name}<br>%{x:,.4~r}: <b>%{y:.4~r}</b>" + more + "<extra></extra>"
    return {"name": literal(name), "hovertemplate": template, "hoverinfo": "all"}
