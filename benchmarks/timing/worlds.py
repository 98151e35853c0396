"""Env steps a second of worlds alone, with random actions, resets included."""

from __future__ import annotations

from statistics import median
from time import process_time

import numpy as np

from bridle import envs
from bridle.envs.copies import Copies
from bridle.envs.safe_mujoco.world import SafeWorld
from bridle.envs.safety_gym.table import SUBSTEPS
from bridle.envs.safety_gym.world import NavigationWorld
from bridle.envs.velocity.world import VelocityWorld
from timing.clock import rate, spread, verdict

WORLDS = (
    ("SafetyBallCircle-v0", 1024, 2_000_000),
    ("SafetyBallCircle-v0", 16, 100_000),
    ("SafetyCarCircle-v0", 64, 15_000),
    ("SafetyCarCircle-v0", 16, 15_000),
    ("SafetyHalfCheetahVelocity-v1", 64, 45_000),
    ("SafetyAntVelocity-v1", 16, None),
    ("HalfCheetahSafe-v2", 64, 25_000),
    ("AntSafe-v2", 64, None),
    ("SafetyPointGoal1-v0", 64, 20_000),
    ("SafetyCarGoal1-v0", 64, 12_000),
    ("SafetyPointButton1-v0", 64, 12_000),
    ("SafetyDoggoGoal1-v0", 64, 3_000),
    ("SafetyPointGoal1-v0", 16, None),
    ("SafetyCarGoal1-v0", 16, None),
)
"""Task, copies, mark (None: told for itself)."""


def worlds(repeats: int, seconds: float) -> str:
    """The table."""
    made = [(name, copies, mark, *world_of(name, copies)) for name, copies, mark in WORLDS]
    for *_, world, actions in made:
        play(world, actions)
    found: list[list[float]] = [[] for _ in made]
    shares: list[list[float]] = [[] for _ in made]
    for _ in range(repeats):
        for speeds, share, (_, copies, _, world, actions) in zip(found, shares, made, strict=True):
            begin = process_time()
            steps, spent = rate(lambda world=world, actions=actions: play(world, actions), seconds)
            used = process_time() - begin
            speeds.append(steps * copies * len(actions) / spent)
            if isinstance(world, (VelocityWorld, SafeWorld, NavigationWorld)):
                share.append(steps * copies * len(actions) / used / engine(world, actions))
    head = [
        "| task | copies | env steps/s | of `mujoco.rollout` alone, by processor time | mark | |",
        "|---|---|---|---|---|---|",
    ]
    rows = ["## Worlds", "", *head]
    for speeds, share, (name, copies, mark, world, _) in zip(found, shares, made, strict=True):
        of_engine = f"{median(share):.2f}" if share else ""
        held = f"{mark:,} | {verdict(median(speeds), mark)}" if mark else "|"
        rows.append(f"| {name} | {copies:,} | {spread(speeds)} | {of_engine} | {held} |")
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


def engine(world, actions) -> float:
    """Env steps a second of processor time of `mujoco.rollout` alone: the same copies from where they are, with no end of episodes."""
    state, navigates = world.get_state()["physics"], isinstance(world, NavigationWorld)
    model = world._at.model if navigates else world._model
    row = world.task if isinstance(world, SafeWorld) else getattr(world, "robot", None)
    copies = Copies(model, len(state), SUBSTEPS if navigates else row.repeat)
    # Where there is one actuator more than actions, it is that of an obstacle, which is left alone.
    still = [(0, 0), (0, 0), (0, model.nu - actions.shape[-1])]
    control, begin = model.actuator_ctrlrange[:, 1] * np.pad(actions[:200], still), process_time()
    if navigates:
        led = world._driven()  # where things stand, and what leads them
        for held in control:
            led = led.copy()
            led[:, :, : model.nu] = held[:, None]
            state, _ = copies.step(state, led)
    else:
        for held in control:
            state = copies.advance(state, held)
    spent = process_time() - begin
    copies.close()
    return len(state) * len(control) / spent
