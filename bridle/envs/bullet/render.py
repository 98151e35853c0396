"""Pictures of the Bullet tasks: a camera over the track, by MuJoCo without a screen, or drawn flat where no GL works.

Shadows, reflections and multisampling are off: in software rendering they cost fifty times the rest.
"""

from __future__ import annotations

import numpy as np

from bridle.envs import gl
from bridle.envs.bullet.topview import CALM, HEIGHT, WARM, WIDTH, TopView, Trail


def available() -> str:
    """Which renderer works here: "egl", "osmesa" or "drawn" (flat, by NumPy); `MUJOCO_GL=disable` asks for the last."""
    return gl.available() or "drawn"


def view(agent, goal):
    """The best view that works here of N copies: it has `draw(index, moment) -> uint8 [480 640 3]` and `close()`."""
    name = available()
    return TopView(agent, goal) if name == "drawn" else Camera(agent, goal, name)


class Camera:
    """MuJoCo's camera over a model made for pictures; the trail is drawn into the scene."""

    def __init__(self, agent, goal, platform: str):
        import mujoco

        self._mj, self._agent, self._goal = mujoco, agent, goal
        self._trail, self._memory = Trail(goal), {}
        self._model = mujoco.MjModel.from_xml_string(scene(agent.look, goal))
        self._data = mujoco.MjData(self._model)
        self._canvas = gl.Canvas(self._model, platform, WIDTH, HEIGHT, 2000)

    def draw(self, index: int, moment: tuple[int, int]) -> np.ndarray:
        """Copy `index`; `moment` is (episode, step): the trail begins anew with an episode."""
        mj = self._mj
        x, y, _ = self._agent.place(index)
        if self._trail.add(index, moment, x, y):
            self._memory = {}
        self._data.qpos[:] = self._agent.pose(index, self._memory)
        mj.mj_kinematics(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        self._aim(x)
        self._canvas.begin(self._data)
        self._add_trail()
        return self._canvas.picture()

    def _aim(self, x: float) -> None:
        """Circle: the whole track from the south. Run: beside the agent, which runs to the right."""
        camera = self._canvas.camera
        camera.azimuth = 90.0
        if self._goal.WALLS:
            camera.lookat[:] = 0.0, -0.6, 0.0
            camera.distance, camera.elevation = 19.5, -54.0
        else:
            camera.lookat[:] = x + 0.5, 0.0, 0.3
            camera.distance, camera.elevation = 9.0, -32.0

    def _add_trail(self) -> None:
        """A shadow under the agent, and where it has been."""
        mj = self._mj
        x, y = self._trail.last
        self._canvas.add(mj.mjtGeom.mjGEOM_CYLINDER, (0.62, 0.001, 0.0), (x, y, 0.020), (0.1, 0.1, 0.15, 0.28))
        for start, end, warm, age in self._trail.lines():
            dx, dy = end[0] - start[0], end[1] - start[1]
            middle = (start[0] + dx / 2, start[1] + dy / 2, 0.024 + 0.004 * (1.0 - age))
            colour = (*(c / 255 for c in (WARM if warm else CALM)), 0.95 - 0.75 * age)
            size = (0.5 * np.hypot(dx, dy) + 0.01, 0.05, 0.001)
            self._canvas.add(mj.mjtGeom.mjGEOM_BOX, size, middle, colour, np.arctan2(dy, dx))

    def close(self) -> None:
        """Free the GL context."""
        self._canvas.close()


def scene(look: str, goal) -> str:
    """MJCF of the track and the agent, for pictures alone."""
    return f"""
<mujoco>
  <compiler autolimits="true"/>
  <statistic extent="15" center="0 0 0"/>
  <visual>
    <map znear=".05" zfar="20"/>
    <global offwidth="{WIDTH}" offheight="{HEIGHT}" fovy="45"/>
    <quality offsamples="0" shadowsize="0"/>
    <headlight ambient=".42 .42 .45" diffuse=".38 .38 .38" specular=".1 .1 .1"/>
  </visual>
  <asset>
    <texture name="sky" type="skybox" builtin="gradient" rgb1=".60 .74 .90" rgb2=".94 .96 1" width="64" height="384"/>
    <texture name="floor" type="2d" builtin="checker" rgb1=".90 .91 .93" rgb2=".85 .87 .89" width="128" height="128"/>
    <material name="floor" texture="floor" texrepeat=".5 .5" texuniform="true" specular="0"/>
    {_ground(goal) if goal.WALLS else ""}
  </asset>
  <default><geom contype="0" conaffinity="0"/></default>
  <worldbody>
    <light directional="true" dir=".35 .45 -1" diffuse=".50 .50 .46" specular=".2 .2 .2" castshadow="false"/>
    {_circle(goal) if goal.WALLS else _run(goal)}
    {look}
  </worldbody>
</mujoco>"""


_DANGER = 'rgba=".93 .33 .30 .22"'
_LINE = 'rgba=".88 .20 .20 1"'
_GUIDE = 'rgba=".10 .62 .48 1"'


def _circle(goal) -> str:
    """The ring to follow, the limit with the ground beyond it, and the octagon of walls."""
    parts = ['<geom type="plane" size="40 40 1" material="floor"/>']
    turns = 120
    for k in range(turns):
        angle, half = 2 * np.pi * (k + 0.5) / turns, np.pi * goal.RADIUS / turns
        pos = f"{goal.RADIUS * np.cos(angle):.4f} {goal.RADIUS * np.sin(angle):.4f} .010"
        yaw = np.degrees(angle) + 90
        parts.append(f'<geom type="box" size="{1.02 * half:.4f} .07 .004" pos="{pos}" euler="0 0 {yaw:.3f}" {_GUIDE}/>')
    for side in (-1, 1):
        parts.append(f'<geom type="box" size=".06 10.83 .006" pos="{side * goal.BOUND} 0 .012" {_LINE}/>')
        name = "left" if side < 0 else "right"
        parts.append(f'<geom type="mesh" mesh="{name}" {_DANGER}/>')
    for k in range(8):
        angle = k * np.pi / 4
        pos = f"{12 * np.cos(angle):.4f} {12 * np.sin(angle):.4f} .15"
        parts.append(f'<geom type="box" size=".1 5 .15" pos="{pos}" euler="0 0 {45 * k}" rgba=".55 .60 .68 1"/>')
    return "\n".join(parts)


def _ground(goal) -> str:
    """Meshes of the ground between the limit and the walls, where |x| + |y| = 11.9 sqrt(2)."""
    near, far = 11.9 * 2**0.5 - goal.BOUND, 11.9 * 2**0.5 - 11.9
    corners = [(goal.BOUND, near), (goal.BOUND, -near), (11.9, far), (11.9, -far)]
    meshes = []
    for side, name in ((-1, "left"), (1, "right")):
        points = " ".join(f"{side * x:.4f} {y:.4f} {z}" for z in (0.004, 0.007) for x, y in corners)
        meshes.append(f'<mesh name="{name}" vertex="{points}" inertia="shell"/>')
    return "\n".join(meshes)


def _run(goal) -> str:
    """The lane between the two lines, marked every 5 m, for as far as a fast agent gets."""
    far = 200
    parts = ['<geom type="plane" size="0 40 1" material="floor"/>']
    for side in (-1, 1):
        parts.append(f'<geom type="box" size="{far} .04 .006" pos="{far - 5} {side * goal.BOUND} .012" {_LINE}/>')
        middle, half = side * (goal.BOUND + 20) / 2, (20 - goal.BOUND) / 2
        parts.append(f'<geom type="box" size="{far} {half} .001" pos="{far - 5} {middle} .005" {_DANGER}/>')
    for x in range(0, 2 * far, 5):
        parts.append(f'<geom type="box" size=".04 {goal.BOUND} .003" pos="{x} 0 .008" {_GUIDE}/>')
        for side in (-1, 1):
            pos = f"{x} {side * (goal.BOUND + 0.3)} .3"
            parts.append(f'<geom type="cylinder" size=".07 .3" pos="{pos}" rgba=".98 .78 .25 1"/>')
    return "\n".join(parts)
