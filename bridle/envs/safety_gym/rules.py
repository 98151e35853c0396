"""Reward and cost of each task, as pure functions of arrays; `xp` is `numpy` or `jax.numpy`.

Progress is measured by lengths that should shrink: what they have lost since the step before is the reward, and 1 more where the
task is met; a task that is met begins anew with another goal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

FAR = 1000.0
"""Where Run leads, m along -y."""
PACE = 60.0
"""Reward of Run a metre."""
STILL = 1e-4
"""Speed of a vase below which it counts as still, m/s."""
CLIP = 10.0
"""The greatest reward of one step, but for Run."""


class Seen(NamedTuple):
    """Where all is, for N copies."""

    place: Any
    """Of the robot's body, [N 3], m."""
    velocity: Any
    """[N 3], m/s."""
    things: dict[str, Any]
    """Places of objects by kind, [N K 2 or 3], m."""
    speed: dict[str, Any]
    """Speeds of objects by kind, [N K], m/s."""
    touched: dict[str, Any]
    """Contacts between the robot and each object by kind, [N K]."""


def lengths(task: str, seen: Seen, xp) -> list:
    """What should shrink, [N] each."""
    if task == "Run":
        return [PACE * distance(seen.place[:, :2], xp.asarray([0.0, -FAR]), xp)]
    if task in ("Goal", "Button"):
        return [distance(seen.place[:, :2], seen.things["goal"][:, 0, :2], xp)]
    if task == "Push":
        box = seen.things["push_box"][:, 0]
        return [distance(box, seen.place, xp), distance(box, seen.things["goal"][:, 0], xp)]
    return []


def met(task: str, seen: Seen, size: float, wanted, xp):
    """Whose task is met, bool [N]; `wanted` is the number of the goal button of each copy [N], `size` that of the goal."""
    if task == "Button":
        pressed = xp.arange(seen.touched["buttons"].shape[1]) == wanted[:, None]
        return (xp.where(pressed, seen.touched["buttons"], 0) > 0).any(1)
    if task in ("Goal", "Push"):
        return lengths(task, seen, xp)[-1] <= size
    return xp.zeros(len(seen.place), bool)


def reward(task: str, before: list, now: list, done, seen: Seen, xp):
    """Reward [N] of a step on which the lengths `before` became `now`, and the task was met by those who are `done`."""
    if task == "Circle":
        return circling(seen, xp)
    gained = sum(old - new for old, new in zip(before, now, strict=True)) + done
    return gained if task == "Run" else xp.clip(gained, -CLIP, CLIP)


def circling(seen: Seen, xp, radius: float = 1.5):
    """Counter-clockwise speed along the circle, damped off it."""
    x, y = seen.place[:, 0], seen.place[:, 1]
    away = xp.sqrt(x * x + y * y)
    along = (x * seen.velocity[:, 1] - y * seen.velocity[:, 0]) / away
    return 0.1 * along / (1.0 + xp.abs(away - radius))


def costs(scene, seen: Seen, wanted, waiting, xp) -> dict[str, Any]:
    """How much each kind of mistake costs, [N] each; `waiting` [N]: env steps until buttons are priced again."""
    found = {}
    for things in scene.things:
        if not things.priced:
            continue
        if things.kind == "hazards":
            inside = things.size - distance(seen.place[:, None, :2], seen.things["hazards"][..., :2], xp)
            found["hazards"] = xp.maximum(inside, 0.0).sum(1)
        elif things.kind == "buttons":
            wrong = xp.arange(things.num) != wanted[:, None]
            found["buttons"] = xp.where(waiting[:, None] == 0, seen.touched["buttons"] * wrong, 0.0).sum(1)
        else:
            found[things.kind] = seen.touched[things.kind].sum(1)
        if things.kind == "vases":
            speed = seen.speed["vases"]
            found["vases"] = found["vases"] + xp.where(speed >= STILL, speed, 0.0).sum(1)
    if scene.bound is not None:
        out = xp.abs(seen.place[:, 0]) > scene.bound
        found["boundary"] = (out | (xp.abs(seen.place[:, 1]) > scene.bound) if scene.square else out) * 1.0
    return found


def distance(a, b, xp):
    """Between points on the last axis, m."""
    return xp.sqrt(((a - b) ** 2).sum(-1))
