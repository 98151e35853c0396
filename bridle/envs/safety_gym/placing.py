"""Puts one copy of a world into the layout of an episode: rows of MuJoCo's state, and of what drives it, are filled in place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridle.envs.safety_gym.layout import ROBOT, Placed, Stream
from bridle.envs.safety_gym.scene import Compiled
from bridle.envs.safety_gym.table import PILLAR, ROBOTS, Row

SINK = 4e-5
"""How far a vase sinks into the floor, m: it starts there, at rest."""


class Copy(NamedTuple):
    """One copy, to be filled."""

    at: Compiled
    state: np.ndarray
    """[S]: time, positions, velocities."""
    drive: np.ndarray
    """[U]: controls, places and rotations of mocap bodies."""


def put(row: Row, copy: Copy, places: dict[str, list[Placed]], draw: Stream, pose=None) -> None:
    """All objects where they are placed, each turned at random; the robot at `pose` (x, y, yaw), if there is one."""
    robot, model = ROBOTS[row.robot], copy.at.model
    copy.state[:] = 0.0
    copy.state[1 : 1 + model.nq] = model.qpos0
    yaw = draw.between(0.0, 2 * np.pi)
    x, y, yaw = (*places[ROBOT][0][:2], yaw) if pose is None else pose
    if "agent" in copy.at.free:
        lay(copy, "agent", (x, y, robot.height), yaw)
    else:
        copy.state[1:4] = x, y, yaw
    if robot.bends:
        bend(copy.state, draw)
    for things in row.scene.things:
        high = {"vases": things.size - SINK, "push_box": things.size, "gremlins": things.size, "buttons": things.size,
                "pillars": PILLAR}.get(things.kind)  # fmt: skip
        for k, (x, y, _) in enumerate(places[things.kind]):
            name, yaw = f"{things.kind}{k}", draw.between(0.0, 2 * np.pi)
            if name in copy.at.free:
                lay(copy, name, (x, y, high), yaw)
            if name in copy.at.mocap:
                stand(copy, name, (x, y, high), yaw)
            if things.kind == "gremlins":
                stand(copy, f"{name}_lead", (x, y, 2 * things.size), yaw)


def lay(copy: Copy, name: str, place, yaw: float) -> None:
    """A body that moves by itself."""
    first = copy.at.free[name][0]
    copy.state[first : first + 7] = *place, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)


def stand(copy: Copy, name: str, place, yaw: float) -> None:
    """A body that stands where it is put."""
    model, number = copy.at.model, copy.at.mocap[name]
    at, turn = model.nu + 3 * number, model.nu + 3 * model.nmocap + 4 * number
    copy.drive[at : at + 3] = place
    copy.drive[turn : turn + 4] = np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)


def bend(state: np.ndarray, draw: Stream) -> None:
    """Ankles at right angles and a little noise: that is how an ant stands (its hinges run hip, ankle, leg by leg)."""
    for k in range(8):
        angle = draw.between(-0.1, 0.1) + (np.pi / 2 if k % 2 else 0.0)
        state[8 + k] = -angle if k in (3, 5) else angle
