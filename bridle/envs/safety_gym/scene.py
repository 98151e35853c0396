"""The model of one robot in one scene, compiled once: whatever can be touched is a body in it, all else is an array.

Objects that stand still are `mocap` bodies, so that each copy has them elsewhere without a new model: buttons, pillars, and what
pulls a gremlin. Vases, the box and gremlins move by themselves. Hazards, goals and circles touch nothing and are not in it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib import resources
from typing import NamedTuple

import numpy as np

from bridle.envs.safety_gym.table import PILLAR, ROBOTS, Row, Things

COMMON = ("accelerometer", "velocimeter", "gyro", "magnetometer")
"""What every robot feels, in the frame of its body: m/s2 with gravity, m/s, rad/s, and the field (0, -0.5, 0)."""
COLOURS = {
    "vases": ".16 .72 .75 1",
    "buttons": ".95 .55 .16 1",
    "pillars": ".50 .50 .85 1",
    "gremlins": ".55 .20 .80 1",
    "push_box": ".96 .80 .20 1",
}


class Compiled(NamedTuple):
    """A model, and where things are in its arrays."""

    model: object
    sensors: dict[str, slice]
    """Columns of the sensor data by name."""
    free: dict[str, tuple[int, int]]
    """First column of position and of velocity of a body that moves by itself, in (time, qpos, qvel)."""
    mocap: dict[str, int]
    """Number of a body that stands where it is put."""


class Columns(NamedTuple):
    """Where objects of one kind are in the arrays of a world; None: they are not there."""

    place: np.ndarray | None
    """In (time, qpos, qvel), int [K 3]."""
    velocity: np.ndarray | None
    """The same, int [K 3]."""
    touch: np.ndarray | None
    """In the sensor data, int [K]: contacts with the robot."""


def columns(things: Things, at: Compiled) -> Columns:
    """Those of `things`."""
    names, three = [f"{things.kind}{k}" for k in range(things.num)], np.arange(3)
    moves, felt = names[0] in at.free, f"touch_{names[0]}" in at.sensors
    place, velocity = (np.array([at.free[name][k] + three for name in names]) if moves else None for k in (0, 1))
    return Columns(place, velocity, np.array([at.sensors[f"touch_{x}"].start for x in names]) if felt else None)


def compiled(row: Row) -> Compiled:
    """The model of a robot and what stands round it."""
    import mujoco

    text = (resources.files("bridle.envs.safety_gym") / "robots" / f"{row.robot.lower()}.xml").read_text()
    root = ET.fromstring(text)
    world, sensor = root.find("worldbody"), root.find("sensor")
    for part in COMMON:
        ET.SubElement(sensor, part, name=part, site="agent")
    body = {"objtype": "xbody", "objname": "agent"}
    ET.SubElement(sensor, "framepos", name="place", **body)
    for axis in "xyz":
        ET.SubElement(sensor, f"frame{axis}axis", name=f"axis_{axis}", **body)
    ET.SubElement(sensor, "framelinvel", name="velocity", **body)
    bound = ET.SubElement(root, "equality")
    for things in row.scene.things:
        for k in range(things.num):
            for part in _bodies(things, k, row):
                world.append(ET.fromstring(part))
            if things.kind == "gremlins":
                weld = {"body1": f"gremlins{k}_lead", "body2": f"gremlins{k}", "relpose": "0 0 0 1 0 0 0"}
                ET.SubElement(bound, "weld", solref=".02 1.5", **weld)
            if things.kind in COLOURS and things.kind != "push_box":
                touch = {"subtree1": "agent", "body2": f"{things.kind}{k}", "data": "found", "num": "1"}
                ET.SubElement(sensor, "contact", name=f"touch_{things.kind}{k}", **touch)
    if row.substep is not None:
        root.find("option").set("timestep", str(row.substep))
    if row.gear is not None:
        root.find("default").find("motor").set("gear", str(row.gear))
    model = mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))
    model.opt.disableflags |= int(
        mujoco.mjtDisableBit.mjDSBL_ISLAND
    )  # a tenth of a car's step; the solution is the same
    sensors = {
        model.sensor(i).name: slice(int(model.sensor_adr[i]), int(model.sensor_adr[i] + model.sensor_dim[i]))
        for i in range(model.nsensor)
    }
    names = [model.body(i).name for i in range(model.nbody)]
    mocap = {name: int(model.body_mocapid[i]) for i, name in enumerate(names) if model.body_mocapid[i] >= 0}
    free = {}
    for i, name in enumerate(names):
        joint = model.body_jntadr[i]
        if joint >= 0 and model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
            free[name] = 1 + int(model.jnt_qposadr[joint]), 1 + model.nq + int(model.jnt_dofadr[joint])
    return Compiled(model, sensors, free, mocap)


def _bodies(things: Things, k: int, row: Row) -> list[str]:
    """MJCF of object `k` of its kind."""
    name, size, colour = f"{things.kind}{k}", things.size, f'rgba="{COLOURS.get(things.kind)}"'
    free = f'<freejoint name="{name}"/>'
    cube = f'<geom name="{name}" type="box" size="{size} {size} {size}" {colour} density="{{}}"/>'
    if things.kind == "vases":
        return [f'<body name="{name}" pos="0 0 {size}">{free}{cube.format(0.001)}</body>']
    if things.kind == "gremlins":
        lead = f'<body name="{name}_lead" mocap="true" pos="0 0 {2 * size}"/>'
        return [f'<body name="{name}" pos="0 0 {size}">{free}{cube.format(0.001)}</body>', lead]
    if things.kind == "push_box":
        density, half = ROBOTS[row.robot].box[1], size / 2
        columns = "".join(
            f'<geom type="box" size="{half} {half} {size}" pos="{x * size} {y * size} 0" density="{density}" {colour}/>'
            for x in (1, -1)
            for y in (1, -1)
        )
        return [f'<body name="{name}" pos="0 0 {size}">{free}{cube.format(density)}{columns}</body>']
    if things.kind == "buttons":
        return [f'<body name="{name}" mocap="true"><geom type="sphere" size="{size}" {colour}/></body>']
    if things.kind == "pillars":
        return [f'<body name="{name}" mocap="true"><geom type="cylinder" size="{size} {PILLAR}" {colour}/></body>']
    return []


def felt(sensed: np.ndarray, at: Compiled, robot: str) -> dict[str, np.ndarray]:
    """What a robot tells of itself, [N ...] each by name: sensors, rates, and angles as sine and cosine or as a rotation."""
    part = lambda name: sensed[:, at.sensors[name]]
    found = {name: part(name) for name in (*COMMON, *ROBOTS[robot].touches)}
    found |= {name: part(name) for name in at.sensors if name.startswith(("jointvel_", "ballangvel_"))}
    if "height" in at.sensors:
        found |= {"height": part("height")[:, 2:], "spin": part("spin")}
    for name in at.sensors:
        if name.startswith("jointpos_"):
            found[name] = np.concatenate([np.sin(part(name)), np.cos(part(name))], 1)
        if name.startswith("ballquat_"):
            found[name] = rotation(part(name))
    return found


def rotation(turn: np.ndarray) -> np.ndarray:
    """Rotations [N 9], row by row, of quaternions [N 4] (w, x, y, z)."""
    w, x, y, z = turn.T
    rows = [
        w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z,
    ]  # fmt: skip
    return np.stack(rows, 1)
