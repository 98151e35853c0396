"""Pictures of the navigation tasks, by MuJoCo without a screen: the arena with lidars and cost, and what the robots see.

Hazards, goals and lidars are no bodies, so they are drawn into the scene. Shadows, reflections and multisampling are off: in
software rendering they cost fifty times the rest.
"""

from __future__ import annotations

import numpy as np

from bridle.core.types import Leaf
from bridle.envs import gl
from bridle.envs.safety_gym.lidar import BINS

HEIGHT, WIDTH = 480, 640
COLOURS = {
    "goal": (0.16, 0.70, 0.36, 0.45),
    "hazards": (0.20, 0.38, 0.86, 0.55),
    "vases": (0.16, 0.72, 0.75, 1.0),
    "buttons": (0.95, 0.55, 0.16, 1.0),
    "gremlins": (0.55, 0.20, 0.80, 1.0),
    "pillars": (0.50, 0.50, 0.85, 1.0),
    "push_box": (0.96, 0.80, 0.20, 1.0),
    "circle": (0.16, 0.70, 0.36, 0.35),
}
"""Of objects, and of the lidars that see them."""
BOUND = (0.88, 0.20, 0.20, 0.55)
COST = (0.90, 0.18, 0.16, 0.45)
"""Of a ball round a robot whose last step cost."""


EYE = 64
"""Pixels of a side of what a robot sees."""


class Scene:
    """A world's own model, seen by a camera; bodies and what is no body alike."""

    def __init__(self, world, width: int, height: int):
        import mujoco

        platform = gl.available()
        if platform is None:
            raise RuntimeError(
                "no OpenGL works here without a screen, so navigation tasks cannot be drawn; install it "
                "(apt-get install libegl1 libgl1-mesa-dri) and let MUJOCO_GL be egl, osmesa or unset"
            )
        self._mj, self._world, self._model = mujoco, world, world._at.model
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        self._model.vis.quality.offsamples = self._model.vis.quality.shadowsize = 0
        self._model.vis.headlight.ambient[:], self._model.vis.headlight.diffuse[:] = 0.75, 0.35
        self._data = mujoco.MjData(self._model)
        self._canvas = gl.Canvas(self._model, platform, width, height, 1000)

    def _begin(self, index: int, drive: np.ndarray) -> None:
        """Copy `index`, driven by `drive` [U], and all that is no body."""
        mj, world = self._mj, self._world
        mj.mj_setState(self._model, self._data, world._physics[index], mj.mjtState.mjSTATE_FULLPHYSICS)
        mj.mj_setState(self._model, self._data, drive, world._copies.drive)
        mj.mj_kinematics(self._model, self._data)
        mj.mj_comPos(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        self._canvas.begin(self._data)
        self._add_things(index)

    def _add_things(self, index: int) -> None:
        """Whatever is no body."""
        mj, world, scene = self._mj, self._world, self._world.row.scene
        cylinder, box = mj.mjtGeom.mjGEOM_CYLINDER, mj.mjtGeom.mjGEOM_BOX
        for things in scene.things:
            if things.kind in ("goal", "hazards", "circle"):
                half = things.size / 2 if things.kind == "goal" else 0.005
                for x, y, *_ in world._places(things)[index]:
                    self._canvas.add(cylinder, (things.size, half, 0.0), (x, y, half + 0.01), COLOURS[things.kind])
        if scene.bound is not None:
            x, y = world._place[index, :2] if world.row.task == "Run" else (0.0, 0.0)
            for side in (-1, 1):
                self._canvas.add(box, (0.01, 3.5, 0.15), (side * scene.bound, y, 0.15), BOUND)
                if scene.square:
                    self._canvas.add(box, (3.5, 0.01, 0.15), (x, side * scene.bound, 0.15), BOUND)

    def close(self) -> None:
        """Free the GL context."""
        self._canvas.close()


class Eye(Scene):
    """What the robots see: 64 x 64 pixels of the camera that each carries, in colour, or in black and white (Floyd and Steinberg 1976)."""

    def __init__(self, world, vision: str):
        super().__init__(world, EYE, EYE)
        self._binary = vision == "binary"
        self.leaf = Leaf((EYE, EYE, 1 if self._binary else 3), "uint8")
        self._canvas.camera.type = self._mj.mjtCamera.mjCAMERA_FIXED
        self._canvas.camera.fixedcamid = self._model.camera("vision").id

    def look(self) -> np.ndarray:
        """Of all copies: uint8 [N 64 64 3], or [N 64 64 1] of 0 and 255."""
        driven, seen = self._world._driven()[:, -1], np.empty((len(self._world._physics), EYE, EYE, 3), np.uint8)
        for index, picture in enumerate(seen):
            self._begin(index, driven[index])
            picture[:] = self._canvas.picture()
        if not self._binary:
            return seen
        from PIL import Image

        return np.stack([np.array(Image.fromarray(one).convert("1"), np.uint8) * 255 for one in seen])[..., None]


class Camera(Scene):
    """The arena from the south, with lidars and cost."""

    def __init__(self, world):
        super().__init__(world, WIDTH, HEIGHT)

    def draw(self, index: int) -> np.ndarray:
        """Copy `index`, uint8 [480 640 3]."""
        self._aim(index)
        self._begin(index, self._world._driven()[index, -1])
        if self._world._costing[index]:
            self._canvas.add(self._mj.mjtGeom.mjGEOM_SPHERE, (0.25, 0.0, 0.0), self._world._place[index], COST)
        self._add_lidars(index)
        return self._canvas.picture()

    def _aim(self, index: int) -> None:
        """The whole arena; where the robot runs away, that."""
        camera, scene = self._canvas.camera, self._world.row.scene
        camera.azimuth, camera.elevation = 90.0, -58.0
        if self._world.row.task == "Run":
            camera.lookat[:] = *self._world._place[index, :2], 0.0
            camera.distance = 4.0
        else:
            camera.lookat[:] = 0.0, -0.15, 0.0
            camera.distance = 2.9 * max(scene.extent, 1.5)

    def _add_lidars(self, index: int) -> None:
        """A ring of dots above the robot for each lidar: the nearer an object, the brighter the dot in its direction."""
        world = self._world
        place, turn = world._place[index], world._turn()[index]
        for ring, (kind, reading) in enumerate(world.lidars(index).items()):
            for k, value in enumerate(reading):
                angle = 2 * np.pi * (k + 0.5) / BINS
                where = place + turn @ (0.15 * np.cos(angle), 0.15 * np.sin(angle), 0.28 + 0.06 * ring)
                colour = (*COLOURS[kind][:3], 0.12 + 0.88 * value)
                self._canvas.add(self._mj.mjtGeom.mjGEOM_SPHERE, (0.015, 0.0, 0.0), where, colour)
