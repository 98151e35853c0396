"""Where the objects of an episode stand: drawn one after another, each anew while it is too near to one before it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bridle.envs.draws import uniform
from bridle.envs.safety_gym.table import Scene, Things

TRIES, LAYOUTS = 100, 10_000
"""Draws of one object, and of a whole layout or of a new goal, before it is given up."""
AT_ONCE, TRIED = 64, 10
"""Layouts tried side by side where one alone has failed, and draws of an object at once there."""
ROBOT = "robot"


class CannotPlace(RuntimeError):
    """An object finds no room."""


class Stream:
    """Random numbers in [0, 1) of one episode, one after another: a function of seed, episode and count."""

    def __init__(self, seed: int, episode: int, count: int = 0):
        self.seed, self.episode, self.count = seed, episode, count
        self._ready: list[float] = []

    def __call__(self) -> float:
        if not self._ready:
            numbers = np.arange(self.count, self.count + 128)
            self._ready = uniform(np.full(128, self.seed), np.full(128, self.episode), numbers)[::-1].tolist()
        self.count += 1
        return self._ready.pop()

    def block(self, *shape: int) -> np.ndarray:
        """As many of them at once as an array of that shape holds; those that lay ready are passed over."""
        numbers = np.arange(self.count, self.count + math.prod(shape))
        self.count, self._ready = self.count + len(numbers), []
        same = np.zeros(len(numbers), np.int64)
        return uniform(same + self.seed, same + self.episode, numbers).reshape(shape)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self()


class Placed(NamedTuple):
    """One object."""

    x: float
    y: float
    keepout: float


def sample(scene: Scene, draw: Stream, name: str) -> dict[str, list[Placed]]:
    """Places of the robot and of all objects, by kind: of the first layout in which all find room, be it the first of many at once."""
    found: dict[str, list[Placed]] = {}
    worst = _place(scene, draw, found)
    if worst is None:
        return found
    for _ in range(0, LAYOUTS, AT_ONCE):
        found, worst = _place_many(scene, draw)
        if found:
            return found
    raise CannotPlace(f"{name}: no room for {worst} in {LAYOUTS:,} layouts of {TRIES} tries for each object")


def _place(scene: Scene, draw: Stream, found: dict[str, list[Placed]]) -> str | None:
    """Fill `found`; the kind of object that finds no room, if one does not."""
    taken: list[Placed] = []
    wanted = [Things(ROBOT, 1, 0.0, scene.keepout, box=scene.start), *scene.things]
    taken += [
        Placed(*at, things.keepout) for things in scene.things for at in things.at or ()
    ]  # they stand there first
    for things in wanted:
        for k in range(things.num):
            place = Placed(*things.at[k], things.keepout) if things.at else _draw(scene, things, draw, taken)
            if place is None:
                return things.kind
            if things.at is None:
                taken.append(place)
            found.setdefault(things.kind, []).append(place)
    return None


def _place_many(scene: Scene, draw: Stream) -> tuple[dict[str, list[Placed]], str]:
    """One layout out of `AT_ONCE` that were tried side by side, {} if all failed; and the kind of object at which most did."""
    wanted = [Things(ROBOT, 1, 0.0, scene.keepout, box=scene.start), *scene.things]
    fixed = [(*at, things.keepout) for things in scene.things for at in things.at or ()]
    taken = np.tile(np.array(fixed).reshape(1, -1, 3), (AT_ONCE, 1, 1))  # x, y, keepout
    worst, lost = ROBOT, 0
    loose = [things for things in wanted if things.at is None for _ in range(things.num)]
    for things in loose:
        new = np.full((len(taken), 1, 3), np.nan)
        new[..., 2], near = things.keepout, (things.keepout + taken[0, :, 2]) ** 2
        for _ in range(TRIES // TRIED):
            rows = np.flatnonzero(np.isnan(new[:, 0, 0]))
            if not len(rows):
                break
            (low_x, high_x), (low_y, high_y) = _bounds(scene, things)
            drawn = draw.block(len(rows), TRIED, 2) * (high_x - low_x, high_y - low_y) + (low_x, low_y)
            aside, ahead = (drawn[:, :, None, k] - taken[rows, None, :, k] for k in (0, 1))
            free = (aside * aside + ahead * ahead >= near).all(2)
            placed = free.any(1)
            new[rows[placed], 0, :2] = drawn[placed, free[placed].argmax(1)]
        kept = ~np.isnan(new[:, 0, 0])
        if (~kept).sum() > lost:
            worst, lost = things.kind, (~kept).sum()
        taken = np.concatenate([taken[kept], new[kept]], 1)
        if not len(taken):
            return {}, worst
    places = iter(taken[0, len(fixed) :].tolist())
    return {
        things.kind: [
            Placed(*things.at[k], things.keepout) if things.at else Placed(*next(places)) for k in range(things.num)
        ]
        for things in wanted
    }, worst


def _bounds(scene: Scene, things: Things) -> list[tuple[float, float]]:
    """Least and greatest x, and y, of an object's centre; a box that is narrower than the object keeps out others by is taken as it is."""
    box = things.box or (-scene.extent, -scene.extent, scene.extent, scene.extent)
    return [_within(box[k], box[k + 2], things.keepout) for k in (0, 1)]


def _draw(scene: Scene, things: Things, draw: Stream, taken: list[Placed], tries: int = TRIES) -> Placed | None:
    """A free place, if one is found."""
    (low_x, high_x), (low_y, high_y) = _bounds(scene, things)
    for _ in range(tries):
        x, y = draw.between(low_x, high_x), draw.between(low_y, high_y)
        if _is_free(x, y, things.keepout, taken):
            return Placed(x, y, things.keepout)
    return None


def _within(low: float, high: float, margin: float) -> tuple[float, float]:
    return (low + margin, high - margin) if low + margin <= high - margin else (low, high)


def _is_free(x: float, y: float, keepout: float, taken: list[Placed]) -> bool:
    return all(math.hypot(x - other.x, y - other.y) >= keepout + other.keepout for other in taken)


def new_goal(scene: Scene, draw: Stream, taken: list[Placed]) -> tuple[float, float] | None:
    """Where the next goal lies; None if there is no room."""
    goal = next(things for things in scene.things if things.kind == "goal")
    place = _draw(scene, goal, draw, taken, LAYOUTS)
    return None if place is None else place[:2]
