"""Where the objects of an episode stand: drawn one after another, each anew while it is too near to one before it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bridle.envs.draws import uniform
from bridle.envs.safety_gym.table import Scene, Things

TRIES, LAYOUTS = 100, 10_000
"""Draws of one object, and of a whole layout or of a new goal, before it is given up."""
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

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self()


class Placed(NamedTuple):
    """One object."""

    x: float
    y: float
    keepout: float


def sample(scene: Scene, draw: Stream, name: str) -> dict[str, list[Placed]]:
    """Places of the robot and of all objects, by kind."""
    worst = ROBOT
    for _ in range(LAYOUTS):
        found: dict[str, list[Placed]] = {}
        failed = _place(scene, draw, found)
        if failed is None:
            return found
        worst = failed
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


def _draw(scene: Scene, things: Things, draw: Stream, taken: list[Placed], tries: int = TRIES) -> Placed | None:
    """A free place; a box that is narrower than the object keeps out others by is taken as it is."""
    box = things.box or (-scene.extent, -scene.extent, scene.extent, scene.extent)
    (low_x, high_x), (low_y, high_y) = (_within(box[k], box[k + 2], things.keepout) for k in (0, 1))
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
