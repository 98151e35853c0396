"""The same pictures without any GL: the track from above, drawn with Pillow; and the trail, which both views show."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

WIDTH, HEIGHT = 640, 480
CALM, WARM = (38, 110, 220), (225, 60, 50)
"""Colours of the trail: within the limit and beyond it."""
_FLOOR, _TILE, _RED, _GREEN, _WALL = (229, 233, 238), (219, 224, 230), (214, 60, 56), (26, 158, 122), (140, 152, 172)
_SHARP = 2
"""Drawn so many times larger and then reduced, for smooth edges."""


class Trail:
    """Where the agent has lately been, and where that cost."""

    def __init__(self, goal, length: int = 160):
        self._axis, self._bound = "xy".index(goal.AXIS), goal.BOUND
        self._points: deque = deque(maxlen=length)
        self._copy, self._episode, self._step = -1, -1, -1

    def add(self, index: int, moment: tuple[int, int], x: float, y: float) -> bool:
        """Note a point. True where the trail began anew: another copy, another episode, or a jump back in time."""
        episode, step = moment
        anew = index != self._copy or episode != self._episode or step < self._step
        if anew:
            self._points.clear()
        if anew or step > self._step:
            self._points.append((float(x), float(y)))
        self._copy, self._episode, self._step = index, episode, step
        return anew

    @property
    def last(self) -> tuple[float, float]:
        """The newest point."""
        return self._points[-1]

    def lines(self):
        """Yield (start, end, beyond the limit?, age in [0, 1]) from old to new."""
        points = list(self._points)
        for k, (start, end) in enumerate(pairwise(points)):
            yield start, end, abs(end[self._axis]) > self._bound, 1.0 - (k + 1) / len(points)


class TopView:
    """A view like `render.Camera`, from straight above."""

    def __init__(self, agent, goal):
        self._agent, self._goal, self._trail = agent, goal, Trail(goal)

    def draw(self, index: int, moment: tuple[int, int]) -> np.ndarray:
        """Copy `index`; `moment` is (episode, step)."""
        from PIL import Image, ImageDraw

        x, y, yaw = self._agent.place(index)
        self._trail.add(index, moment, x, y)
        image = Image.new("RGB", (WIDTH * _SHARP, HEIGHT * _SHARP), _FLOOR)
        self._pen = ImageDraw.Draw(image)
        # The Circle is seen whole; a Run moves with the agent.
        self._centre, self._scale = ((0.0, 0.0), 19.0 * _SHARP) if self._goal.WALLS else ((x + 2.0, 0.0), 45.0 * _SHARP)
        self._ground()
        for start, end, warm, age in self._trail.lines():
            colour = _blend(WARM if warm else CALM, _FLOOR, 0.8 * age)
            self._pen.line([self._at(*start), self._at(*end)], fill=colour, width=4 * _SHARP)
        self._agent_at(x, y, yaw)
        return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)).copy()

    def close(self) -> None:
        """Nothing is held."""

    def _at(self, x: float, y: float) -> tuple[float, float]:
        u = WIDTH * _SHARP / 2 + (x - self._centre[0]) * self._scale
        return u, HEIGHT * _SHARP / 2 - (y - self._centre[1]) * self._scale

    def _box(self, left: float, low: float, right: float, high: float, colour) -> None:
        self._pen.rectangle([self._at(left, high), self._at(right, low)], fill=colour)

    def _ground(self) -> None:
        goal, pen = self._goal, self._pen
        start = 2 * np.floor((self._centre[0] - 20) / 2)
        for i in range(21):
            for j in range(-7, 7):
                if (i + j) % 2:
                    self._box(start + 2 * i, 2 * j, start + 2 * i + 2, 2 * j + 2, _TILE)
        if goal.WALLS:
            for side in (-1, 1):
                near, far = 12 * 2**0.5 - goal.BOUND, 12 * 2**0.5 - 12
                shape = [(goal.BOUND, near), (12, far), (12, -far), (goal.BOUND, -near)]
                pen.polygon([self._at(side * x, y) for x, y in shape], fill=_blend(_RED, _FLOOR, 0.8))
                line = [self._at(side * goal.BOUND, -near), self._at(side * goal.BOUND, near)]
                pen.line(line, fill=_RED, width=3 * _SHARP)
            ring = [self._at(*(goal.RADIUS * np.array([-1, 1]))), self._at(*(goal.RADIUS * np.array([1, -1])))]
            pen.ellipse(ring, outline=_GREEN, width=3 * _SHARP)
            corners = [12 / np.cos(np.pi / 8) * np.exp(1j * (k + 0.5) * np.pi / 4) for k in range(9)]
            pen.line([self._at(c.real, c.imag) for c in corners], fill=_WALL, width=5 * _SHARP)
        else:
            here = self._centre[0]
            for x in range(int(here) - 15, int(here) + 15):
                if x % 5 == 0:
                    pen.line([self._at(x, -goal.BOUND), self._at(x, goal.BOUND)], fill=_GREEN, width=2 * _SHARP)
            for side in (-1, 1):
                low, high = sorted((side * goal.BOUND, side * 9))
                self._box(here - 12, low, here + 12, high, _blend(_RED, _FLOOR, 0.8))
                y = side * goal.BOUND
                pen.line([self._at(here - 12, y), self._at(here + 12, y)], fill=_RED, width=3 * _SHARP)

    def _agent_at(self, x: float, y: float, yaw: float) -> None:
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        corners = np.array(self._agent.outline) @ turn.T + (x, y)
        self._pen.polygon([self._at(*c) for c in corners], fill=(32, 40, 58), outline=(255, 255, 255))
        nose = turn @ np.array([max(c[0] for c in self._agent.outline) * 0.6, 0.0]) + (x, y)
        u, v = self._at(*nose)
        self._pen.ellipse([u - 3 * _SHARP, v - 3 * _SHARP, u + 3 * _SHARP, v + 3 * _SHARP], fill=(255, 196, 60))


def _blend(colour, other, share: float) -> tuple[int, int, int]:
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other))
