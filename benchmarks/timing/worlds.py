"""Env steps a second of worlds alone, with random actions, resets included."""

from __future__ import annotations

from statistics import median

import numpy as np

from bridle import envs
from timing.clock import rate, spread, verdict

WORLDS = (
    ("SafetyBallCircle-v0", 1024, 2_000_000),
    ("SafetyBallCircle-v0", 16, 100_000),
    ("SafetyCarCircle-v0", 64, 15_000),
    ("SafetyCarCircle-v0", 16, 15_000),
)
"""Task, copies, mark."""


def worlds(repeats: int, seconds: float) -> str:
    """The table."""
    made = [(name, copies, mark, *world_of(name, copies)) for name, copies, mark in WORLDS]
    for *_, world, actions in made:
        play(world, actions)
    found: list[list[float]] = [[] for _ in made]
    for _ in range(repeats):
        for speeds, (_, copies, _, world, actions) in zip(found, made, strict=True):
            steps, spent = rate(lambda world=world, actions=actions: play(world, actions), seconds)
            speeds.append(steps * copies * len(actions) / spent)
    rows = ["## Worlds", "", "| task | copies | env steps/s | mark | |", "|---|---|---|---|---|"]
    for speeds, (name, copies, mark, world, _) in zip(found, made, strict=True):
        rows.append(f"| {name} | {copies:,} | {spread(speeds)} | {mark:,} | {verdict(median(speeds), mark)} |")
        world.close()
    return "\n".join([*rows, ""])


def world_of(name: str, copies: int):
    """A world and the actions of one whole episode of each copy, so that every call counts one reset of each."""
    world = envs.make(name, copies)
    world.reset(np.arange(copies))
    horizon = world.spec.horizon
    return world, np.random.default_rng(0).uniform(-1, 1, (horizon, copies, world.spec.action.size)).astype(np.float32)


def play(world, actions) -> None:
    """One episode of each copy."""
    for action in actions:
        world.step(action)
