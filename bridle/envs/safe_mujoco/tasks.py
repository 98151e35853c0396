"""The table of tasks: what each robot earns and pays, how it starts, and where its obstacle or its walls are.

Source: the environments of CMBPO (Zanger, Daaboul and Zoellner 2021, arXiv:2104.06922), `mujoco_safety_gym`, on Gymnasium's
robots. Nothing heavy is imported here.
"""

from __future__ import annotations

from typing import NamedTuple

HORIZON = 1000
"""Env steps of an episode."""
KINDS = ("drawn", "free")
"""Walls for the eye alone, or bodies that float freely, as in the original."""


class Task(NamedTuple):
    """One row."""

    told: str
    model: str
    """Gymnasium's XML file."""
    repeat: int
    """Steps of MuJoCo in one env step."""
    size: tuple[int, int]
    """Entries of obs and of action."""
    control: float
    """Price of the sum of squared controls, in the actuators' own units."""
    noise: float
    """Scale of the start's noise: uniform in positions, uniform or normal in velocities."""
    normal: bool = False
    forward: float = 1.0
    """Reward of 1 m/s along x."""
    alive: float = 0.0
    """Reward of every step, also of one that ends the episode."""
    contact: float = 0.0
    """Price of the sum of squared contact forces and torques on all bodies."""
    strongest: float = float("inf")
    """These are cut to this before they are squared."""
    dearest: float = float("inf")
    """Contact never costs more reward than this."""
    obstacle: str | None = None
    """A board ahead: `driven` by a motor, or `led` along a course; None: a corridor of walls."""


ROBOTS = {
    "HalfCheetah": Task(
        "half a cheetah runs along x; cost 1 per step within 2 m of a board that moves ahead of it",
        "half_cheetah.xml", 5, (20, 6), control=0.1, noise=0.1, normal=True, obstacle="driven",
    ),
    "Ant": Task(
        "an ant walks along x in a corridor that zigzags; cost 1 per step within 1.8 m of a wall, or for falling",
        "ant.xml", 5, (29, 8), control=0.5, noise=0.1, normal=True, alive=1.0, contact=5e-4, strongest=1.0,
    ),
    "Humanoid": Task(
        "a humanoid walks along x in a corridor that zigzags; cost 1 per step within 2 m of a wall, or for falling",
        "humanoid.xml", 5, (47, 17), control=0.1, noise=0.01, forward=1.25, alive=5.0, contact=5e-7, dearest=10.0,
    ),
    "Hopper": Task(
        "a leg hops along x; cost 1 per step within 1 m of a board that moves ahead of it",
        "hopper.xml", 4, (14, 3), control=1e-3, noise=5e-3, alive=1.0, obstacle="led",
    ),
}  # fmt: skip


def named(id: str) -> str:
    """`HalfCheetah` of `HalfCheetahSafe-v2`."""
    return id.removesuffix("Safe-v2")


WALLS = tuple((x, y, yaw) for x, yaw in ((0, 30), (40, -30), (80, 30)) for y in (5, -5))
"""x and y of each wall's centre, m, and its yaw, degrees."""
HALF = (20, 0.01, 0.7)
"""Half of its length, thickness and height, m."""
