"""bridle's side of each comparison: `updates` at FSRL's shapes; `dynamics` at mbrl-lib's; `halfcheetah`, `pointgoal` and
`pointgoal-often` (the actor moves at every update) end to end by `bridle.train`, and so "ppo-lag TASK", "cpo TASK"; the id of a task:
that world alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gymnasium
import jax
import numpy as np
from timing.models import training
from window import Window, arguments

import bridle
from bridle import envs
from bridle.algorithms import config_class, preset
from bridle.core.types import Continuous, CostLimit, Leaf, Spec, Transition
from bridle.data.replay import Ring
from bridle.parts.dynamics.model import Dynamics
from bridle.run import records
from bridle.run import train as loop
from bridle.run.duties import Duties

SKIP = 1_500
"""Env steps before counting begins; learning begins at 1,000, and all is compiled by then."""
NEVER = 10**9
LEFT_ALONE = {"steps": NEVER, "eval_every": NEVER, "eval_episodes": 1, "checkpoint_every": NEVER}
ALIKE = LEFT_ALONE | {"hidden": (256, 256), "batch": 256, "n_step": 1, "every": 64, "times": 64, "warmup": 1_000,
                      "num_envs": 1}  # fmt: skip
"""What the peers train with, an update a step in blocks of 64; nothing else is done meanwhile but rows of metrics."""
COPIES = 64
"""Of a world that is stepped alone."""
FIT = 200
"""Updates of a fit of dynamics."""
ENVS, ROWS = 10, 2_000
"""Copies, and env steps of each in replay."""


def updates(window: Window) -> None:
    """Gradient updates of preset `fsrl-sac-lag`, each with its draw from replay, on a world of 60 observations and 2 actions."""
    spec = Spec("nowhere", Leaf((60,)), Continuous(2), ENVS, 300, ("cost",))
    config = records.from_json(config_class("sac"), {**preset("fsrl-sac-lag", "sac-pid").config, "constraint": "pid"})
    algorithm = config.build(spec, CostLimit((10.0,)))
    update, key = algorithm.updates[0], jax.random.key(0)
    memory, rng = Ring(spec, ENVS * ROWS, {}), np.random.default_rng(0)
    for row in range(ROWS):
        memory.add(row_of(rng, row), (row + 1) * ENVS)
    run, state, count = loop.compiled(update), loop.copy(algorithm.init(key)), 0
    while count < 3 * update.times or not window.note(count):
        data = memory.draw(update.draw, update.times, count, 0, rng)
        state, metrics, _ = run(state, data, key, np.uint32(count), np.uint32(0))
        jax.block_until_ready((state, metrics))
        count += update.times


def row_of(rng: np.random.Generator, row: int) -> Transition:
    """A step of every copy, of nothing."""
    normal = lambda *shape: rng.normal(size=(ENVS, *shape)).astype(np.float32)
    flag = np.zeros(ENVS, np.bool_)
    cost = (normal(1) > 1).astype(np.float32)
    ended = np.full(ENVS, row % 300 == 299)
    return Transition(normal(60), np.clip(normal(2), -1, 1), normal(), cost, normal(60), flag, ended, ~flag, {})


def dynamics(window: Window) -> None:
    """Gradient updates of whole fits of the ensemble, 200 at a time."""
    fit, count = training(Dynamics(max_updates=FIT, max_holdout=512, patience=NEVER), FIT), 0
    while count < 2 * FIT or not window.note(count):
        fit()
        count += FIT


def halfcheetah(window: Window) -> None:
    """Env steps of `bridle train sac --env HalfCheetah-v5`."""
    end_to_end(window, "sac", "HalfCheetah-v5", ALIKE)


def pointgoal(window: Window, python: str, every: int) -> None:
    """Env steps of `bridle train sac-lag` with 2 + 1 critics on Safety-Gymnasium's SafetyPointGoal1-v0; its actor moves at one
    update of `every`."""
    settings = {"cost_limit": 25.0, "horizon": 1_000, "cost_critics": 1, "actor_every": every}
    end_to_end(window, "sac-lag", partial(PointGoal, python, window), ALIKE | settings)


def on_policy(window: Window, algorithm: str, env: str) -> None:
    """Env steps of epochs of 4,000 with OmniSafe's minibatches: PPO's of policy and values 40 passes of 64, CPO's of values 10 of 128."""
    passes, batch = (40, 64) if algorithm.startswith("ppo") else (10, 128)
    own = {"passes": passes, "batch": batch, "target_kl": 1e9} if algorithm.startswith("ppo") else {}
    own |= {"fisher_every": 1, "iterations": 15} if algorithm == "cpo" else {}
    settings = {"rollout": 4_000, "num_envs": 32, "values": {"passes": passes, "batch": batch}, "cost_limit": 25.0}
    end_to_end(window, algorithm, env, LEFT_ALONE | settings | own, 8_000)


def end_to_end(window: Window, algorithm: str, env, settings: dict, skip: int = SKIP) -> None:
    """Train, note the steps after each block, and stop as by Ctrl-C when the window is over."""
    real, over = Duties.report, False

    def report(duties, progress, metrics, episodes):
        nonlocal over
        real(duties, progress, metrics, episodes)
        if progress.step >= skip and metrics and not over and (over := window.note(progress.step)):
            signal.raise_signal(signal.SIGINT)  # once: the second one would not wait for the end

    Duties.report = report
    with tempfile.TemporaryDirectory() as room:
        bridle.train(algorithm, env=env, run=f"{room}/run", **settings)


def world(window: Window, id: str) -> None:
    """Env steps of 64 copies with random actions, resets included."""
    made = envs.make(id, COPIES)
    made.reset(np.arange(COPIES))
    horizon, count = made.spec.horizon, 0
    action = np.random.default_rng(0).uniform(-1, 1, (horizon, COPIES, made.spec.action.size))
    while not window.note(count):
        for one in action:  # whole episodes, so that each has its reset
            made.step(one)
        count += horizon * COPIES


class PointGoal(gymnasium.Env):
    """SafetyPointGoal1-v0, stepped in a process of OmniSafe's environment, since it does not run beside current NumPy."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (60,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def __init__(self, python: str, window: Window):
        self.window = window
        server = [python, str(Path(__file__).with_name("point_goal_server.py"))]
        self.process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reset(self, *, seed=None, options=None):
        return np.array(self._ask("reset", seed)[0]), {}

    def step(self, action):
        obs, reward, cost, terminated, truncated = self._ask("step", action.tolist())
        return np.array(obs), reward, bool(terminated), bool(truncated), {"cost": cost}

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _ask(self, command: str, value):
        print(json.dumps([command, value]), file=self.process.stdin, flush=True)
        *answer, spent = json.loads(self.process.stdout.readline())
        self.window.elsewhere += spent
        return answer


if __name__ == "__main__":
    told = arguments()
    window = Window(told.seconds)
    sides = {
        "updates": updates,
        "dynamics": dynamics,
        "halfcheetah": halfcheetah,
        "pointgoal": partial(pointgoal, python=told.python, every=2),
        "pointgoal-often": partial(pointgoal, python=told.python, every=1),
    }
    if " " in told.what:
        on_policy(window, *told.what.split())
    else:
        sides.get(told.what, partial(world, id=told.what))(window)
    window.tell("bridle", "jax", "numpy", "gymnasium", "mujoco")
