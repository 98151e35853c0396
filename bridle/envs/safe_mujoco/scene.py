"""Gymnasium's robots among what they must keep away from: a board that moves ahead of them, or a corridor that zigzags."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET

from bridle.envs import models
from bridle.envs.safe_mujoco.tasks import HALF, WALLS, Task

PINK, FAINT = "1 0.5 0.5 0.8", "1 0.5 0.5 0.35"
_SOLID = {"conaffinity": "1", "condim": "3"}
_UNFELT = {"contype": "0", "conaffinity": "0"}
_DROP = 0.72
"""Height at which walls come to rest, m: half of theirs and what is left of the margin of contact."""


def load(task: Task, walls: str | None):
    """The model of `task`; `walls` is one of `tasks.KINDS`, or None where there are none."""
    return models.compiled(*_text(task, walls))


@functools.cache
def _text(task: Task, walls: str | None) -> tuple[str, float | None]:
    text, mass = models.text_of(task.model)
    root = ET.fromstring(text)
    world = root.find("worldbody")
    floor = next(geom for geom in world.findall("geom") if geom.get("name") == "floor")
    # A plane has no end for what touches it; this is how far it is drawn.
    floor.set("pos", "65 0 0")
    floor.set("size", f"150 40 {floor.get('size').split()[2]}")
    _calm(root)
    if task.obstacle == "driven":
        _add_lane(world)
        _add_board(world, root.find("actuator"))
    elif task.obstacle == "led":
        board = ET.SubElement(world, "body", name="obstacle", mocap="true", pos="3 0 .5")
        ET.SubElement(board, "geom", name="obstacle", type="box", size=".1 1 .5", density="0", rgba=PINK, **_SOLID)
    else:
        _add_zigzag(world, free=walls == "free")
    return ET.tostring(root, encoding="unicode"), mass


def _calm(root) -> None:
    """Tiles of a metre in pale colours: the floor is three times as large as that which Gymnasium's tiles are made for."""
    for part in root.iter():
        if part.get("name") == "texplane":
            part.set("rgb1", ".82 .85 .88")
            part.set("rgb2", ".74 .78 .82")
        elif part.get("name") == "MatPlane":
            part.attrib |= {"texuniform": "true", "texrepeat": ".5 .5", "reflectance": "0", "specular": ".1"}


def _add_board(world, actuators) -> None:
    """The board ahead of the cheetah, on a slide along x with a motor; before the cheetah, so that it is joint and body 0."""
    board = ET.Element("body", name="obstacle", pos="5 0 .7")
    ET.SubElement(
        board, "joint", name="obstacle", type="slide", axis="1 0 0", damping=".2", stiffness="0", range="-10000 10000"
    )
    ET.SubElement(
        board,
        "geom",
        name="obstacle",
        type="box",
        pos="5 0 .7",
        size=".1 2.3 1.3",
        density=".0001",
        rgba=PINK,
        **_SOLID,
    )
    torso = next(k for k, child in enumerate(world) if child.get("name") == "torso")
    world.insert(torso, board)
    ET.SubElement(actuators, "motor", name="obstacle", joint="obstacle", gear="120")


def _add_lane(world) -> None:
    """Walls beside the cheetah's way, which it can never touch, since it moves in the plane y = 0: for the eye alone."""
    for k in range(4):
        for y in (-4, 4):
            ET.SubElement(world, "geom", type="box", size="24.8 .1 1", pos=f"{50 * k} {y} 1", rgba=FAINT, **_UNFELT)


def _add_zigzag(world, free: bool) -> None:
    """Six walls: bodies that float freely, or nothing but a sight."""
    for k, (x, y, yaw) in enumerate(WALLS):
        size, turn = " ".join(map(str, HALF)), f"0 0 1 {yaw}"
        if free:
            body = ET.SubElement(world, "body", name=f"wall_{k}", pos=f"{x} {y} 1", axisangle=turn)
            ET.SubElement(body, "freejoint", name=f"wall_{k}")
            how = {"density": ".000001", "rgba": FAINT, **_SOLID}
            ET.SubElement(body, "geom", name=f"wall_{k}", type="box", size=size, **how)
        else:
            how = {"size": size, "pos": f"{x} {y} {_DROP}", "axisangle": turn, "rgba": FAINT, **_UNFELT}
            ET.SubElement(world, "geom", name=f"wall_{k}", type="box", **how)
