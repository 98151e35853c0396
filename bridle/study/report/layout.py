"""How figures of a report look: scales, the limit, the ground that is feasible."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from bridle.study.axes import FAINT, FEASIBLE, INK, SOFT, cost_end, wrapped
from bridle.study.series import Curve

GRID, CLEAR = "#E6E9ED", "rgba(0,0,0,0)"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif'
BELOW, GAP = 78, 18
"""Pixels: what stands round the panels of a figure, and between two of them."""

Methods = dict[str, list[Curve]]
"""The seeds of each method in one environment, by label."""


class Figure(NamedTuple):
    """What plotly is given. Every trace tells in `meta` the `method` (its number) that the page's buttons go by."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.layout["height"]


def plain(height: int, left: int) -> dict[str, Any]:
    """A layout without axes; `height` and the margin to the `left` in pixels."""
    return {
        "template": "none", "height": height, "margin": {"l": left, "r": 12, "t": 30, "b": 48}, "showlegend": False,
        "hovermode": "closest", "dragmode": "zoom", "shapes": [], "annotations": [],
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "font": {"family": FONT, "size": 13, "color": INK},
        "hoverlabel": {"bgcolor": "white", "font": {"color": INK}},
        "modebar": {"bgcolor": CLEAR, "color": FAINT, "activecolor": INK},
    }  # fmt: skip


def scale(**more) -> dict[str, Any]:
    """An axis."""
    line = {"showline": True, "linecolor": FAINT, "gridcolor": GRID, "zeroline": False, "ticks": "", "tickcolor": FAINT}
    return {**line, "exponentformat": "SI", **more}


def stacked(heights: list[int]) -> dict[str, Any]:
    """Axes of panels one below the other, of so many pixels, over the x-axis of the lowest."""
    whole, top = sum(heights), 1.0
    found: dict[str, Any] = {"xaxis": scale(tickformat="~s", anchor=ref("y", len(heights) - 1))}
    for i, height in enumerate(heights):
        below = GAP if i < len(heights) - 1 else 0
        found[key("y", i)] = scale(domain=[max(0.0, top - (height - below) / whole), top])
        top -= height / whole
    return found


def limits_drawn(layout: dict[str, Any], limits: list[float], highest: float, along: str, panel: int) -> None:
    """A dashed line and a word for each limit, green ground where one limit is met; and the range of the axis of costs.

    `along`: the letter of the axis of costs, x | y.
    """
    cost, upright = ref(along, panel), along == "x"
    layout[key(along, panel)]["range"] = [0, cost_end(limits, highest)]
    across = {"yref": "paper", "y0": 0, "y1": 1} if upright else {"xref": "paper", "x0": 0, "x1": 1}

    def shape(kind: str, low: float, high: float, **more) -> dict[str, Any]:
        return {"type": kind, f"{along}ref": cost, f"{along}0": low, f"{along}1": high, **across, **more}

    if len(limits) == 1:
        ground = {"layer": "below", "fillcolor": FEASIBLE, "opacity": 0.09, "line": {"width": 0}}
        layout["shapes"].append(shape("rect", 0, limits[0], **ground))
    for limit in limits:
        layout["shapes"].append(shape("line", limit, limit, line={"color": INK, "width": 1.3, "dash": "6px,4px"}))
        where = {"xref": "paper", "x": 0, "yref": cost, "y": limit, "yanchor": "bottom", "xshift": 4}
        if upright:
            where = {"xref": cost, "x": limit, "yref": "paper", "y": 1, "yanchor": "top", "xshift": 2}
        layout["annotations"].append({
            **where, "xanchor": "left", "text": f"limit {limit:g}", "showarrow": False,
            "font": {"size": 12, "color": INK}, "bgcolor": "rgba(255,255,255,0.8)", "borderpad": 1,
        })  # fmt: skip


def ref(letter: str, panel: int) -> str:
    """`y`, `y2`, `y3`: as a trace names it."""
    return letter + (str(panel + 1) if panel else "")


def key(letter: str, panel: int) -> str:
    """`yaxis`, `yaxis2`: as a layout names it."""
    return f"{letter}axis" + (str(panel + 1) if panel else "")


def literal(text: str) -> str:
    """A text that plotly shows as it is: it reads tags, entities and templates such as %{x} in names and titles."""
    return escape(text, quote=False).replace("%{", "%&#123;")


def title(text: str) -> dict[str, Any]:
    """Of an axis."""
    return {"text": literal(text), "font": {"size": 13, "color": SOFT}, "standoff": 8}


def in_lines(name: str) -> str:
    """A name beside an axis."""
    return "<br>".join(literal(line) for line in wrapped(name).splitlines())
