"""The batched world: N copies of one robot in one scene, in the shape that `core` names."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Continuous, Leaf, Spec
from bridle.envs.copies import Copies
from bridle.envs.episodes import EpisodicWorld
from bridle.envs.safety_gym import layout, rules
from bridle.envs.safety_gym.idle import IDLE, Idle
from bridle.envs.safety_gym.layout import Placed, Stream
from bridle.envs.safety_gym.lidar import BINS, lidar
from bridle.envs.safety_gym.placing import Copy, put
from bridle.envs.safety_gym.render import Camera, Eye
from bridle.envs.safety_gym.scene import columns, compiled, felt
from bridle.envs.safety_gym.table import DELAY, ROBOTS, SUBSTEPS, row

LIDARS = {"push_box": "box"}
"""What the older dialects, which tell observations in alphabetical order, call another way."""
HELD_OUT = 1 << 40
"""Added to the number of an episode, it gives a layout that no training sees."""
STATE = ("physics", "drive", "sensed", "goal", "lengths", "wanted", "waiting", "count")
FIXED = ("hazards", "buttons", "pillars")
"""Kinds that stand still through an episode."""


class NavigationWorld(EpisodicWorld):
    """A `core.types.World`; made by `bridle.envs.safety_gym.make`."""

    def __init__(
        self, id: str, num_envs: int, dialect: str, layout: str, cost: str, vision: str | None, horizon: int | None
    ):
        import mujoco

        self.row = row(id, dialect)
        scene, self._layout, self._priced = self.row.scene, layout, cost
        horizon = scene.horizon if horizon is None else horizon
        self._at = at = compiled(self.row)
        self._nu, self._mocaps, span = at.model.nu, at.model.nmocap, at.model.actuator_ctrlrange
        self._middle, self._half = span.mean(1), np.ptp(span, 1) / 2
        self._substep = at.model.opt.timestep
        self.dt = SUBSTEPS * self._substep
        self._costing = self.met = np.zeros(num_envs, bool)
        self.mistakes: dict[str, np.ndarray] = {}
        """How grave each kind of mistake of the last step was, [N] each; `met` says whose task was met in it."""
        idle = any(x.kind in IDLE for x in scene.things)
        self._copies = Idle(self.row, at, num_envs, horizon) if idle else Copies(at.model, num_envs, SUBSTEPS)
        self._columns = {x.kind: columns(x, at) for x in scene.things}
        self._gremlins = next((x.num for x in scene.things if x.kind == "gremlins"), 0)
        self._fixed = {x.kind: np.zeros((num_envs, x.num, 2)) for x in scene.things if x.kind in FIXED}
        self._physics, self._sensed, self._goal, self._lengths = (
            np.zeros((num_envs, n))
            for n in (self._copies.size, at.model.nsensordata, 3, 2 if self.row.task == "Push" else 1)
        )
        self._drive = np.zeros((num_envs, self._nu + 7 * self._mocaps))
        self._wanted, self._waiting, self._count = (np.zeros(num_envs, np.int64) for _ in range(3))
        self._never = np.zeros(num_envs, bool)
        self._eye = None if vision is None else Eye(self, vision)
        mistakes = tuple(rules.costs(scene, self._blank(1), np.zeros(1, int), np.zeros(1, int), np))
        notes = {"dialect": dialect, "layout": layout} | ({} if vision is None else {"vision": vision})
        self.spec = Spec(
            name=id,
            obs=self._leaves(),
            action=Continuous(self._nu),
            num_envs=num_envs,
            horizon=horizon,
            constraints=mistakes if cost == "each" else ("cost",) if mistakes else (),
            kinds=mistakes,
            notes=(*notes.items(), ("dt", f"{self.dt:.4g} s"), ("physics", f"MuJoCo {mujoco.__version__}")),
        )
        self.reset(np.zeros(num_envs, np.int64))

    # Episodes -----------------------------------------------------------------------------------------------------

    def _begin(self, who: np.ndarray) -> None:
        self._waiting[who] = self._count[who] = 0
        self._drive[who] = 0.0
        for i in who:
            draw = self._stream(i)
            places = layout.sample(self.row.scene, draw, self.spec.name)
            pose = self.row.pose if self._layout == "fixed" else None
            put(self.row, Copy(self._at, self._physics[i], self._drive[i]), places, draw, pose)
            for things in self.row.scene.things:
                if things.kind in self._fixed:
                    self._fixed[things.kind][i] = [place[:2] for place in places[things.kind]]
                if things.kind == "goal":
                    self._goal[i] = *places["goal"][0][:2], things.size / 2 + 0.01
            self._count[i] = draw.count
        self._sensed[who] = self._copies.sense(self._physics[who], self._drive[who])
        for i in who:
            self._aim(i)
        self._lengths[who] = self._measure()[who]
        self._waiting[who] = 0  # a new episode does not wait for its buttons

    def _stream(self, i: int) -> Stream:
        """The random numbers of the episode of copy `i`, from where it is in them."""
        seed, episode = int(self._seed[i]), int(self._episode[i])
        if self._layout == "fixed":
            seed, episode = 0, 0
        return Stream(seed, episode + (HELD_OUT if self._layout == "held-out" else 0), int(self._count[i]))

    def _aim(self, i: int) -> bool:
        """Give copy `i` another goal; False if there is no room for one."""
        task, draw = self.row.task, self._stream(i)
        if task == "Button":
            first = self.row.first if self._layout == "fixed" and self._step[i] == 0 else None
            self._wanted[i] = min(int(draw() * 4), 3) if first is None else first
            self._goal[i, :2] = self._fixed["buttons"][i, self._wanted[i]]
            self._waiting[i] = DELAY
        if task in ("Goal", "Push"):
            place = layout.new_goal(self.row.scene, draw, self._taken(i))
            if place is None:
                return False
            self._goal[i, :2] = place
        self._count[i] = draw.count
        return True

    def _taken(self, i: int) -> list[Placed]:
        """Where a goal of copy `i` cannot lie."""
        found = [Placed(*self._place[i, :2], self.row.scene.keepout)]
        for things in self.row.scene.things:
            if things.kind == "goal":
                continue
            for place in self._places(things)[i]:
                found.append(Placed(*place[:2], things.keepout))
        return found

    # Steps --------------------------------------------------------------------------------------------------------

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        self._drive[:, : self._nu] = self._middle + self._half * np.clip(self._checked(action), -1.0, 1.0)
        self._physics, self._sensed = self._copies.step(self._physics, self._driven())
        self._step += 1
        seen, scene, task = self._seen(), self.row.scene, self.row.task
        size = next((x.size for x in scene.things if x.kind == "goal"), 0.0)
        now = rules.lengths(task, seen, np)
        done = rules.met(task, seen, size, self._wanted, np)
        reward = rules.reward(task, list(self._lengths.T), now, done, seen, np)
        self.mistakes, self.met = rules.costs(scene, seen, self._wanted, self._waiting, np), done
        cost = self._cost(self.mistakes)
        self._costing = cost.any(1)
        if now:
            self._lengths = np.stack(now, 1)
        self._waiting = np.maximum(self._waiting - 1, 0)
        lost = self._never
        if (low := ROBOTS[self.row.robot].falls) is not None:
            lost = seen.place[:, 2] <= low
        if self.row.ends:
            lost, done = lost | done, self._never
        for i in np.flatnonzero(done):
            if not self._aim(i):
                lost = lost | (np.arange(len(done)) == i)
        if done.any():
            self._lengths[done] = self._measure()[done]
        return self._obs(), reward.astype(np.float32), cost, lost, self._ends()

    def kinds(self) -> np.ndarray:
        """1 for each kind of mistake that was made."""
        found = [(value > 0).astype(np.float32) for value in self.mistakes.values()]
        return np.stack(found, 1) if found else super().kinds()

    def _driven(self) -> np.ndarray:
        """What drives each sub-step, [N SUBSTEPS U]: gremlins are led round their places."""
        if not self._gremlins:
            return np.broadcast_to(self._drive[:, None], (len(self._drive), SUBSTEPS, self._drive.shape[1]))
        drive, travel = np.repeat(self._drive[:, None], SUBSTEPS, 1), self.row.travel
        phase = self._physics[:, :1] + self._substep * np.arange(SUBSTEPS)
        for k in range(self._gremlins):
            at = self._nu + 3 * self._at.mocap[f"gremlins{k}_lead"]
            drive[:, :, at] += travel * np.sin(phase)
            drive[:, :, at + 1] += travel * np.cos(phase)
        return drive

    def _cost(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """float32 [N C]"""
        if self._priced == "each":
            return self.kinds()
        total = sum(found.values()) if found else np.zeros(len(self._step))
        if not self.spec.constraints:
            return np.zeros((len(self._step), 1), np.float32)
        return ((total > 0) * 1.0 if self._priced == "indicator" else total).astype(np.float32)[:, None]

    # What is seen -------------------------------------------------------------------------------------------------

    def _places(self, things) -> np.ndarray:
        """[N K 2 or 3], m."""
        if things.kind == "goal":
            return self._goal[:, None]
        if things.kind in self._fixed:
            return self._fixed[things.kind]
        if things.kind == "circle":
            return np.broadcast_to(np.asarray(things.at), (len(self._step), things.num, 2))
        return self._physics[:, self._columns[things.kind].place]

    def _seen(self) -> rules.Seen:
        at, speed, touched = self._at, {}, {}
        for kind, where in self._columns.items():
            if where.touch is not None:
                touched[kind] = self._sensed[:, where.touch]
            if kind == "vases":
                speed[kind] = np.sqrt((self._physics[:, where.velocity] ** 2).sum(-1))
        places = {things.kind: self._places(things) for things in self.row.scene.things}
        return rules.Seen(self._place, self._sensed[:, at.sensors["velocity"]], places, speed, touched)

    def _measure(self) -> np.ndarray:
        """Lengths that should shrink, [N L]."""
        found = rules.lengths(self.row.task, self._seen(), np)
        return np.stack(found, 1) if found else np.zeros_like(self._lengths)

    def _blank(self, n: int) -> rules.Seen:
        """Nothing seen by `n` copies: for shapes and names."""
        things = {x.kind: np.zeros((n, x.num, 3)) for x in self.row.scene.things}
        zero = {x.kind: np.zeros((n, x.num)) for x in self.row.scene.things}
        return rules.Seen(np.zeros((n, 3)), np.zeros((n, 3)), things, zero, zero)

    def _leaves(self):
        """The shape of an observation."""
        own = sum(part.shape[1] for part in self._felt().values())
        if self._eye is not None:
            return {"image": self._eye.leaf, "vector": Leaf((own,))}
        return Leaf((own + BINS * len(self.row.scene.things),))

    def _felt(self) -> dict[str, np.ndarray]:
        """What the robots tell of themselves, [N ...] each by name."""
        return felt(self._sensed, self._at, self.row.robot)

    def _obs(self):
        parts = self._felt()
        if self._eye is None:
            lidars = self._readings(slice(None))
            parts |= {f"{LIDARS.get(kind, kind)}_lidar": reading for kind, reading in lidars.items()}
        names = sorted(parts) if self.row.dialect != "safety-gymnasium" else parts
        vector = np.concatenate([parts[name] for name in names], 1).astype(np.float32)
        return vector if self._eye is None else {"image": self._eye.look(), "vector": vector}

    def _readings(self, who: slice) -> dict[str, np.ndarray]:
        """Of the lidar for each kind of object, [n 16]."""
        things = self.row.scene.things
        if not things:
            return {}
        objects = np.concatenate([self._places(x)[who, :, :2] for x in things], 1)
        near = lidar(self._place[who], objects, self._turn()[who], self.row.scene.range, np)
        parts = np.split(near, np.cumsum([x.num for x in things])[:-1], 1)
        found = {x.kind: part.max(1) for x, part in zip(things, parts, strict=True)}
        if "buttons" in found:
            found["buttons"][self._waiting[who] > 0] = 0.0
        return found

    def lidars(self, index: int) -> dict[str, np.ndarray]:
        """Readings [16] of copy `index` by kind of object."""
        return {kind: reading[0] for kind, reading in self._readings(slice(index, index + 1)).items()}

    @property
    def _place(self) -> np.ndarray:
        """Of the robots' bodies, [N 3], m."""
        return self._sensed[:, self._at.sensors["place"]]

    def _turn(self) -> np.ndarray:
        """Rotations of the robots' bodies, [N 3 3]."""
        return np.stack([self._sensed[:, self._at.sensors[f"axis_{axis}"]] for axis in "xyz"], 2)

    def _camera(self):
        return Camera(self)

    def _draw(self, index: int) -> np.ndarray:
        return self._view.draw(index)

    # State --------------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, np.ndarray]:
        fixed = {f"fixed_{kind}": places for kind, places in self._fixed.items()}
        return {name: getattr(self, f"_{name}") for name in STATE} | fixed

    def _resume(self, state: dict[str, np.ndarray]) -> None:
        for name in STATE:
            setattr(self, f"_{name}", state[name])
        self._fixed = {kind: state[f"fixed_{kind}"] for kind in self._fixed}

    def close(self) -> None:
        """Free threads and the renderers."""
        self._copies.close()
        if self._eye is not None:
            self._eye.close()
        super().close()
