"""The table of robots: what Gymnasium's v5 classes say of each, and Safety-Gymnasium's limit of its speed.

Sources: `gymnasium.envs.mujoco.*_v5` (Towers et al. 2024, arXiv:2407.17032) for all but the thresholds, which are those
of Safety-Gymnasium 1.0.0 (Ji et al. 2023, arXiv:2310.12567), v1. Nothing heavy is imported here.
"""

from __future__ import annotations

from typing import NamedTuple

HORIZON = 1000
"""Env steps of an episode."""
INFINITE = float("inf")


class Robot(NamedTuple):
    """One row."""

    told: str
    model: str
    """Gymnasium's XML file."""
    repeat: int
    """Steps of MuJoCo in one env step."""
    threshold: float
    """Speed beyond which a step costs 1, m/s."""
    control: float
    """Price of the sum of squared controls, in the actuators' own units."""
    noise: float
    """Scale of the start's noise: uniform in positions, uniform or normal in velocities."""
    normal: bool = False
    hidden: int = 1
    """How many positions, counted from the first, are kept out of obs."""
    forward: float = 1.0
    """Reward of 1 m/s along x."""
    alive: float = 0.0
    """Reward of a step after which the robot is healthy."""
    height: tuple[float, float] | None = None
    """A healthy robot's torso is between these, m; None for a robot that cannot be unhealthy."""
    tilt: float = INFINITE
    """A healthy robot leans by less than this, rad."""
    bound: float | None = None
    """All other positions and velocities of a healthy robot are smaller than this."""
    fastest: float = INFINITE
    """Velocities are cut to this in obs."""
    place: tuple[str, int] | None = None
    """Field and row of MjData whose x and y the velocity is of, which is then that in the plane; None: x of the root,
    and velocity along x."""
    tells: tuple[tuple[str, int], ...] = ()
    """Fields of MjData that follow in obs, each from this row on; the last is the bodies' contact forces."""
    forces: int = 0
    """Where contact forces begin among these."""
    strongest: float = INFINITE
    """Contact forces are cut to this."""
    contact: float = 0.0
    """Price of the sum of squared contact forces."""
    dearest: float = INFINITE
    """Contact never costs more reward than this."""


_BODIES = 13
"""Bodies of ant and of humanoid, the world left out."""

ROBOTS = {
    "HalfCheetah": Robot(
        "half a cheetah runs", "half_cheetah.xml", 5, 3.2096, control=0.1, noise=0.1, normal=True
    ),
    "Hopper": Robot(
        "a leg hops", "hopper.xml", 4, 0.7402, control=1e-3, noise=5e-3,
        alive=1.0, height=(0.7, INFINITE), tilt=0.2, bound=100.0, fastest=10.0,
    ),
    "Walker2d": Robot(
        "two legs walk", "walker2d_v5.xml", 4, 2.3415, control=1e-3, noise=5e-3,
        alive=1.0, height=(0.8, 2.0), tilt=1.0, fastest=10.0,
    ),
    "Ant": Robot(
        "an ant of four legs walks", "ant.xml", 5, 2.6222, control=0.5, noise=0.1, normal=True, hidden=2,
        alive=1.0, height=(0.2, 1.0), bound=INFINITE, place=("xpos", 1), tells=(("cfrc_ext", 1),),
        strongest=1.0, contact=5e-4,
    ),
    "Humanoid": Robot(
        "a humanoid walks", "humanoid.xml", 5, 1.4149, control=0.1, noise=1e-2, hidden=2, forward=1.25,
        alive=5.0, height=(1.0, 2.0), place=("subtree_com", 0),
        tells=(("cinert", 1), ("cvel", 1), ("qfrc_actuator", 6), ("cfrc_ext", 1)), forces=(10 + 6) * _BODIES + 17,
        contact=5e-7, dearest=10.0,
    ),
    "Swimmer": Robot("a chain of three links swims", "swimmer.xml", 4, 0.2282, control=1e-4, noise=0.1, hidden=2),
}  # fmt: skip


def named(task: str) -> str:
    """`HalfCheetah` of `SafetyHalfCheetahVelocity-v1`."""
    return task.removeprefix("Safety").removesuffix("Velocity-v1")
