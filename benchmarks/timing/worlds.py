"""Env steps a second of worlds alone, with random actions, resets included."""

from __future__ import annotations

from statistics import median
from time import process_time

import mujoco
import numpy as np
from mujoco import rollout

from bridle import envs
from bridle.core.machine import cores
from bridle.envs.velocity.bodies import load
from bridle.envs.velocity.world import VelocityWorld
from timing.clock import rate, spread, verdict

WORLDS = (
    ("SafetyBallCircle-v0", 1024, 2_000_000),
    ("SafetyBallCircle-v0", 16, 100_000),
    ("SafetyCarCircle-v0", 64, 15_000),
    ("SafetyCarCircle-v0", 16, 15_000),
    ("SafetyHalfCheetahVelocity-v1", 64, 45_000),
    ("SafetyAntVelocity-v1", 16, None),
    ("SafetyPointGoal1-v0", 16, 20_000),
    ("SafetyCarGoal1-v0", 16, 12_000),
    ("SafetyPointButton1-v0", 16, 12_000),
    ("SafetyDoggoGoal1-v0", 16, 3_000),
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
            if isinstance(world, VelocityWorld):
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


def engine(world: VelocityWorld, actions) -> float:
    """Env steps a second of processor time of `mujoco.rollout` alone: the same copies from where they are, with no end of episodes."""
    model, repeat, state = load(world.robot), world.robot.repeat, world.get_state()["physics"]
    copies, threads = len(state), cores()
    data = [mujoco.MjData(model) for _ in range(threads)]
    control = np.repeat(model.actuator_ctrlrange[:, 1] * actions[:, :, None], repeat, axis=2)
    path, sensors = np.empty((copies, repeat, state.shape[1])), np.empty((copies, repeat, 0))
    with rollout.Rollout(nthread=threads if threads > 1 else 0) as native:
        begin = process_time()
        for held in control[:200]:
            words = {"skip_checks": True, "nstep": repeat, "state": path, "sensordata": sensors}
            native.rollout([model] * copies, data, state, held, chunk_size=max(1, copies // (8 * threads)), **words)
            state = path[:, -1].copy()
        return copies * len(control[:200]) / (process_time() - begin)
