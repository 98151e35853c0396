"""Kinds of cost are logged by name: of training's episodes, of evaluations, through a stop and a resumption."""

import gymnasium
import numpy as np

import bridle
from bridle import envs
from bridle.run.log import read


class TwoKinds(gymnasium.Env):
    """Tells one cost, and apart what it is made of; the second kind is told only where it is not 0."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.clock = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.clock += 1
        info = {"cost": 1.0 + (self.clock == 3), "cost_always": 1.0, "cost_word": "no number"}
        if self.clock == 3:
            info["cost_third"] = 1.0
        return np.zeros(1, np.float32), 0.0, False, self.clock == 5, info


def test_an_environment_of_ones_own_tells_kinds_in_info():
    world = envs.make(TwoKinds, 2)
    assert world.spec.kinds == ("always", "third") and world.spec.constraints == ("cost",)
    world.reset(np.arange(2))
    told = np.array([world.step(np.zeros((2, 1))).kinds for _ in range(5)])
    np.testing.assert_array_equal(told.sum(0), [[5.0, 1.0]] * 2)


def test_a_world_without_cost_tells_no_kinds():
    assert envs.make("Pendulum-v1", 1).spec.kinds == ()
    assert envs.make("toy/Corridor-v0", 1).spec.kinds == ()


def test_kinds_stand_in_the_rows_of_a_run(tmp_path):
    settings = {"env": "SafetyPointGoal2-v0", "env_args": ("horizon=25",), "cost_limit": 25.0, "num_envs": 4}
    bridle.train("sac-lag", run=str(tmp_path / "run"), steps=400, eval_every=200, log_every=200, eval_episodes=4,
                       warmup=10_000, seed=3, **settings)  # fmt: skip
    rows = read(tmp_path / "run" / "metrics.csv")
    for where in ("episode", "eval"):
        kinds = rows[f"{where}/cost_hazards"] + rows[f"{where}/cost_vases"]
        assert np.isfinite(kinds).all()
        # Two kinds in one step cost 1.
        assert (rows[f"{where}/cost"] <= kinds + 1e-5).all() and (kinds <= 2 * rows[f"{where}/cost"] + 1e-5).all()
