"""Where trainings have come to, in a report: a box plot of converged cost, and the plane of return and cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridle.study.axes import beyond, clipped, cost_end, cost_name, highest_of, limits_of, no_closer
from bridle.study.looks import Look
from bridle.study.points import apart, pools
from bridle.study.report.layout import (
    CLEAR,
    Figure,
    Methods,
    in_lines,
    key,
    limits_drawn,
    literal,
    plain,
    ref,
    scale,
    title,
)
from bridle.study.seeds import final

ROW, LINE, BELOW, PLANE = 46, 17, 90, 360
"""Pixels: a row of boxes, a line of its name, what stands round them, the least height of boxes and planes."""


def box(methods: Methods, looks: dict[str, Look]) -> Figure:
    """A row for each method: its converged cost, beside the limit; a panel for each constraint."""
    example = next(iter(methods.values()))[0]
    panels, rows = len(example.constraints), len(methods)
    row = max(ROW, LINE * (1 + max(in_lines(name).count("<br>") + 1 for name in methods)))
    layout = plain(max(row * rows + BELOW, PLANE), left=12) | _abreast(panels)
    traces: list[dict[str, Any]] = []
    for i in range(panels):
        found, limits = pools(methods, i), limits_of(methods, i)
        highest = clipped(limits, found)
        end = cost_end(limits, highest)
        for place, (name, pool) in enumerate(zip(methods, found, strict=True)):
            traces += _box(place, name, pool, looks[name], i, end)
            if text := beyond(pool, end):
                layout["annotations"].append(_beyond(place, text, looks[name], i, end))
        layout[key("x", i)] |= {"title": title(cost_name(example, i))}
        limits_drawn(layout, limits, highest, "x", i)
    named = [f'<b style="color:{looks[name].colour}">{in_lines(name)}</b>' for name in methods]
    layout["yaxis"] |= {
        "tickvals": list(range(rows)), "ticktext": named, "range": [rows - 0.4, -0.6], "automargin": True,
        "showgrid": False, "showline": False, "ticks": "outside", "ticklen": 8, "tickcolor": CLEAR,
    }  # fmt: skip
    return Figure(traces, layout)


def _beyond(row: int, text: str, look: Look, panel: int, end: float) -> dict[str, Any]:
    """A word at the end of a row."""
    return {
        "x": end, "xref": ref("x", panel), "y": row, "yref": "y", "yshift": 20, "xanchor": "right", "showarrow": False,
        "text": f"<b>{text}</b>", "font": {"size": 12, "color": look.colour},
    }  # fmt: skip


def _box(row: int, name: str, pool: np.ndarray, look: Look, panel: int, end: float) -> list[dict[str, Any]]:
    """What is drawn of a method up to the `end` of the axis."""
    if not len(pool):
        return []
    seen, mean = pool <= end, [pool.mean()] if pool.mean() <= end else []
    low, first, median, third, high = np.percentile(pool, [0, 25, 50, 75, 100])
    shared = {"xaxis": ref("x", panel), "meta": {"method": look.number}, "name": literal(name)}
    told = f"median {median:.4g}, middle half {first:.4g} to {third:.4g}, all {low:.4g} to {high:.4g}"
    return [
        shared | {
            "type": "box", "orientation": "h", "y": [row], "lowerfence": [low], "q1": [first], "median": [median],
            "q3": [third], "upperfence": [high], "width": 0.5, "whiskerwidth": 0.5, "fillcolor": look.faint(0.18),
            "line": {"color": look.colour, "width": 1.5}, "hoverinfo": "skip",
        },
        shared | {
            "type": "scatter", "mode": "markers", "x": pool[seen], "y": (row + apart(len(pool)))[seen], "cliponaxis": False,
            "marker": {"size": 4.5, "color": look.faint(0.55)},
            "hovertemplate": "%{fullData.name}<br>%{x:.4~r}<extra></extra>",
        },
        shared | {
            "type": "scatter", "mode": "markers", "x": mean, "y": [row] * len(mean), "cliponaxis": False,
            "marker": {"symbol": "diamond", "size": 11, "color": look.colour, "line": {"color": "white", "width": 1.5}},
            "hovertemplate": "%{fullData.name}<br>mean <b>%{x:.4~r}</b>, " + told + "<extra></extra>",
        },
    ]  # fmt: skip


def plane(methods: Methods, looks: dict[str, Look], height: int = PLANE) -> Figure:
    """Return over cost: a point for each seed, a great one for the mean of a method; a panel for each constraint.

    `height` in pixels.
    """
    example = next(iter(methods.values()))[0]
    panels = len(example.constraints)
    layout = plain(height, left=64) | _abreast(panels)
    results = {name: [final(curve) for curve in curves] for name, curves in methods.items()}
    traces: list[dict[str, Any]] = []
    for i in range(panels):
        highest = highest_of(np.array([c[i] for found in results.values() for _, c in found]))
        for name, found in results.items():
            cost, returns = np.array([c[i] for _, c in found]), np.array([r for r, _ in found])
            traces += _points(cost, returns, [curve.seed for curve in methods[name]], name, looks[name], i)
        layout[key("x", i)] |= {"title": title(cost_name(example, i))}
        limits_drawn(layout, limits_of(methods, i), highest, "x", i)
    returns = np.array([r for found in results.values() for r, _ in found])
    layout["yaxis"] |= {"title": title("return"), "range": list(no_closer(returns))}
    return Figure(traces, layout)


def _points(cost, returns, seeds: list[int | None], name: str, look: Look, panel: int) -> list[dict[str, Any]]:
    shared = {
        "type": "scatter", "mode": "markers", "xaxis": ref("x", panel), "meta": {"method": look.number},
        "name": literal(name), "cliponaxis": False,
    }  # fmt: skip
    said = "%{fullData.name}%{customdata}<br>return <b>%{y:.4~r}</b>, cost <b>%{x:.4~r}</b><extra></extra>"
    great = {"symbol": look.symbol, "size": 14, "color": look.colour, "line": {"color": "white", "width": 1.6}}
    small = {"symbol": look.symbol, "size": 6.5, "color": look.faint(0.55)}
    told = ["" if seed is None else literal(f", seed {seed}") for seed in seeds]
    several = len(seeds) > 1
    mean = shared | {
        "x": [cost.mean()], "y": [returns.mean()], "marker": great, "hovertemplate": said,
        "customdata": [f", mean of {len(seeds)} runs" if several else told[0]],
    }  # fmt: skip
    each = shared | {"x": cost, "y": returns, "marker": small, "hovertemplate": said, "customdata": told}
    return [each, mean] if several else [mean]


def _abreast(panels: int) -> dict[str, Any]:
    """Axes of panels beside each other, over one y-axis."""
    gap = 0.06 if panels > 1 else 0.0
    width = (1 - gap * (panels - 1)) / panels
    found: dict[str, Any] = {"yaxis": scale()}
    for i in range(panels):
        low = i * (width + gap)
        found[key("x", i)] = scale(domain=[low, min(1.0, low + width)], anchor="y")
    return found
