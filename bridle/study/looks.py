"""How methods look, in pictures and on pages: a colour for each, other lines and points where a colour comes again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from bridle.study.series import Curve

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B4B8A", "#6E6E6E")
"""After Okabe and Ito (2008): told apart by colour-blind readers too."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "pentagon")
GLYPHS = "●■▲◆▼✚✖⬟"
"""The same for matplotlib, for plotly and in a line of text."""
DASHES: tuple[tuple[int, ...], ...] = ((), (8, 2), (8, 2, 2, 2), (3, 1.5))
"""Of lines within the limit, in widths of the line; the first is solid."""


class Look(NamedTuple):
    """How a label looks in all figures. A method has one colour; under several limits its lines and points differ."""

    number: int
    """Of the label, which the buttons of a page go by."""
    method: int = 0
    """Its number; the colours come again after the last."""
    turn: int = 0
    """How often the colour has come before."""

    @property
    def colour(self) -> str:
        """Of its lines and points."""
        return COLOURS[self.method % len(COLOURS)]

    @property
    def marker(self) -> str:
        """Of its points, for matplotlib."""
        return MARKERS[self._shape]

    @property
    def symbol(self) -> str:
        """The same for plotly."""
        return SYMBOLS[self._shape]

    @property
    def glyph(self) -> str:
        """The same in a line of text."""
        return GLYPHS[self._shape] + "\N{VARIATION SELECTOR-15}"

    @property
    def dashes(self) -> tuple[float, ...]:
        """Of its lines within the limit, in widths of the line; () for solid."""
        return DASHES[self.turn % len(DASHES)]

    @property
    def line(self) -> Any:
        """The same as matplotlib's line style."""
        return (0, self.dashes) if self.dashes else "-"

    def dash(self, width: float) -> str:
        """The same for plotly, for a line of so many pixels."""
        return ",".join(f"{width * part:g}px" for part in self.dashes) or "solid"

    @property
    def _shape(self) -> int:
        return (self.method + self.turn) % len(MARKERS)

    def faint(self, alpha: float) -> str:
        """Its colour as a veil."""
        red, green, blue = (int(self.colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{alpha})"


def looks_of(curves: Iterable[Curve]) -> dict[str, Look]:
    """A look for each label, in the order in which they come: colours by the method, turns by its limits beside each other."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    labels: dict[str, tuple[str, str]] = {}
    for curve in curves:
        places.setdefault((curve.env, curve.method), {})[curve.label] = None
        labels.setdefault(curve.label, (curve.env, curve.method))
    methods = list(dict.fromkeys(method for _, method in labels.values()))
    most = max(map(len, places.values()), default=1)
    looks = {}
    for number, (label, place) in enumerate(labels.items()):
        method = methods.index(place[1])
        turn = method // len(COLOURS) * most + list(places[place]).index(label)
        looks[label] = Look(number, method, turn)
    return looks
