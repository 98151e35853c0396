"""The batched world: N copies of one robot in one scene, in the shape that `core` names."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Continuous, Leaf, Outcome, Spec
from bridle.envs.safety_gym import layout, rules
from bridle.envs.safety_gym.copies import Copies
from bridle.envs.safety_gym.idle import IDLE, Idle
from bridle.envs.safety_gym.layout import Placed, Stream
from bridle.envs.safety_gym.lidar import BINS, lidar
from bridle.envs.safety_gym.placing import Copy, put
from bridle.envs.safety_gym.scene import compiled, felt
from bridle.envs.safety_gym.table import DELAY, ROBOTS, SUBSTEPS, row

LIDARS = {"push_box": "box"}
"""What the older dialects, which tell observations in alphabetical order, call another way."""
HELD_OUT = 1 << 40
"""Added to the number of an episode, it gives a layout that no training sees."""
STATE = ("physics", "drive", "sensed", "goal", "wanted", "waiting", "lengths", "seed", "episode", "step", "count")


class NavigationWorld:
    """A `core.types.World`; made by `bridle.envs.safety_gym.make`."""

    def __init__(self, id: str, num_envs: int, dialect: str, layout: str, cost: str, horizon: int | None):
        import mujoco

        self.row = row(id, dialect)
        self._layout, self._priced, self._camera = layout, cost, None
        self._at = compiled(self.row)
        self._nu, self._mocaps = self._at.model.nu, self._at.model.nmocap
        self._middle, self._half = (
            self._at.model.actuator_ctrlrange.mean(1),
            np.ptp(self._at.model.actuator_ctrlrange, 1) / 2,
        )
        self._substep = self._at.model.opt.timestep
        self.dt = SUBSTEPS * self._substep
        self._costing = self.met = np.zeros(num_envs, bool)
        self.mistakes: dict[str, np.ndarray] = {}
        """How grave each kind of mistake of the last step was, [N] each; `met` says whose task was met in it."""
        scene = self.row.scene
        self._horizon = scene.horizon if horizon is None else horizon
        idle = any(x.kind in IDLE for x in scene.things)
        self._copies = Idle(self.row, self._at, num_envs, self._horizon) if idle else Copies(self._at.model, num_envs)
        self._fixed = {
            x.kind: np.zeros((num_envs, x.num, 2)) for x in scene.things if x.kind in ("hazards", "buttons", "pillars")
        }
        self._gremlins = next((x.num for x in scene.things if x.kind == "gremlins"), 0)
        self._never, self._always = np.zeros(num_envs, bool), np.ones(num_envs, bool)
        drive = self._nu + 7 * self._mocaps
        shapes = {
            "physics": self._copies.size, "drive": drive, "sensed": self._at.model.nsensordata, "goal": 3,
            "lengths": 2 if self.row.task == "Push" else 1,
        }  # fmt: skip
        for name in STATE:
            flat = name not in shapes
            setattr(self, f"_{name}", np.zeros(num_envs, np.int64) if flat else np.zeros((num_envs, shapes[name])))
        names = tuple(rules.costs(scene, self._blank(1), np.zeros(1, int), np.zeros(1, int), np))
        self.spec = Spec(
            name=id,
            obs=Leaf((self._width(),)),
            action=Continuous(self._nu),
            num_envs=num_envs,
            horizon=self._horizon,
            constraints=names if cost == "each" else ("cost",) if names else (),
            notes=(
                ("dialect", dialect),
                ("layout", layout),
                ("dt", f"{self.dt:.4g} s"),
                ("physics", f"MuJoCo {mujoco.__version__}"),
            ),
        )
        self.reset(np.zeros(num_envs, np.int64))

    # Episodes -----------------------------------------------------------------------------------------------------

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        """Begin episode 0 of every copy from its own seed (int64 [N]); the first obs, float32 [N O]."""
        seeds = np.asarray(seeds, np.int64)
        if seeds.shape != (self.spec.num_envs,):
            raise ValueError(f"seeds have shape {seeds.shape}; one is needed for each copy: ({self.spec.num_envs},)")
        self._seed = seeds.copy()
        self._episode = np.full(len(seeds), -1, np.int64)
        self._begin(np.arange(len(seeds)))
        return self._obs()

    def restart(self, who: np.ndarray) -> np.ndarray:
        """Begin the next episode of the copies `who` (int [n]) now; the obs of all copies."""
        self._begin(np.asarray(who))
        return self._obs()

    def _begin(self, who: np.ndarray) -> None:
        """Start the next episode of the copies `who`."""
        self._episode[who] += 1
        self._step[who] = self._waiting[who] = self._count[who] = 0
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

    def step(self, action: np.ndarray) -> Outcome:
        """One env step of every copy under `action`, float [N A]; a copy that is lost or at its horizon begins anew."""
        obs, reward, cost, terminated, truncated = self.advance(action)
        next_obs, ended = obs, terminated | truncated
        if ended.any():
            self._begin(np.flatnonzero(ended))
            obs = self._obs()
        return Outcome(next_obs, obs, reward, cost, terminated, truncated, self._always)

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        action = np.asarray(action, np.float64)
        if action.shape != (self.spec.num_envs, self._nu):
            raise ValueError(f"action has shape {action.shape}; needed: {(self.spec.num_envs, self._nu)}")
        self._drive[:, : self._nu] = self._middle + self._half * np.clip(action, -1.0, 1.0)
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
        return self._obs(), reward.astype(np.float32), cost, lost, self._step >= self._horizon

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
            return np.stack([(value > 0) * 1.0 for value in found.values()], 1).astype(np.float32)
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
        firsts = [self._at.free[f"{things.kind}{k}"][0] for k in range(things.num)]
        return np.stack([self._physics[:, first : first + 3] for first in firsts], 1)

    def _seen(self) -> rules.Seen:
        scene, at = self.row.scene, self._at
        speed, touched = {}, {}
        for things in scene.things:
            names = [f"touch_{things.kind}{k}" for k in range(things.num)]
            if names[0] in at.sensors:
                touched[things.kind] = np.stack([self._sensed[:, at.sensors[name].start] for name in names], 1)
            if things.kind == "vases":
                firsts = [at.free[f"vases{k}"][1] for k in range(things.num)]
                speed["vases"] = np.stack([np.linalg.norm(self._physics[:, f : f + 3], axis=1) for f in firsts], 1)
        places = {things.kind: self._places(things) for things in scene.things}
        part = lambda name: self._sensed[:, at.sensors[name]]
        return rules.Seen(part("place"), part("velocity"), places, speed, touched)

    def _measure(self) -> np.ndarray:
        """Lengths that should shrink, [N L]."""
        found = rules.lengths(self.row.task, self._seen(), np)
        return np.stack(found, 1) if found else np.zeros_like(self._lengths)

    def _blank(self, n: int) -> rules.Seen:
        """Nothing seen by `n` copies: for shapes and names."""
        things = {x.kind: np.zeros((n, x.num, 3)) for x in self.row.scene.things}
        zero = {x.kind: np.zeros((n, x.num)) for x in self.row.scene.things}
        return rules.Seen(np.zeros((n, 3)), np.zeros((n, 3)), things, zero, zero)

    def _width(self) -> int:
        """Numbers in an observation."""
        own = felt(np.zeros((1, self._at.model.nsensordata)), self._at, self.row.robot)
        return sum(part.shape[1] for part in own.values()) + BINS * len(self.row.scene.things)

    def _obs(self) -> np.ndarray:
        parts = felt(self._sensed, self._at, self.row.robot)
        for kind, reading in self._readings(slice(None)).items():
            parts[f"{LIDARS.get(kind, kind)}_lidar"] = reading
        names = sorted(parts) if self.row.dialect != "safety-gymnasium" else parts
        return np.concatenate([parts[name] for name in names], 1).astype(np.float32)

    def _readings(self, who) -> dict[str, np.ndarray]:
        """Of the lidar for each kind of object, [n 16]."""
        scene, place, turn, found = self.row.scene, self._place[who], self._turn()[who], {}
        for things in scene.things:
            reading = lidar(place, self._places(things)[who], turn, scene.range, np)
            blind = things.kind == "buttons"
            found[things.kind] = np.where(self._waiting[who][:, None] > 0, 0.0, reading) if blind else reading
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

    def render(self, index: int = 0) -> np.ndarray:
        """Copy `index` as a picture, uint8 [480 640 3]."""
        if not 0 <= index < self.spec.num_envs:
            raise ValueError(f"index = {index}; copies are numbered 0 to {self.spec.num_envs - 1}")
        if self._camera is None:
            from bridle.envs.safety_gym.render import Camera

            self._camera = Camera(self)
        return self._camera.draw(index)

    # State --------------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that the next steps depend on; each array has one row per copy."""
        fixed = {f"fixed_{kind}": places.copy() for kind, places in self._fixed.items()}
        return {name: getattr(self, f"_{name}").copy() for name in STATE} | fixed

    def set_state(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Go back to what `get_state` told; the obs there, float32 [N O]."""
        for name in STATE:
            setattr(self, f"_{name}", np.array(state[name]))
        self._fixed = {kind: np.array(state[f"fixed_{kind}"]) for kind in self._fixed}
        return self._obs()

    def close(self) -> None:
        """Free threads and the renderer."""
        self._copies.close()
        if self._camera is not None:
            self._camera.close()
            self._camera = None
