"""`action_repeat`: rewards and costs of the steps of one action add up; an end in between ends it."""

import gymnasium
import numpy as np
import pytest

import bridle
from bridle import envs


class Clock(gymnasium.Env):
    """Ends after five steps; step k earns k and costs 1."""

    observation_space = gymnasium.spaces.Box(0.0, 10.0, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.clock = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.clock += 1
        info = {"cost": 1.0, "cost_time": 0.5}
        return np.full(1, self.clock, np.float32), float(self.clock), self.clock == 5, False, info


@pytest.mark.parametrize("repeat", [1, 2, 3, 7])
def test_steps_of_an_environment_of_ones_own_add_up(repeat):
    world = envs.make(Clock, 2, action_repeat=repeat)
    world.reset(np.arange(2))
    clock = 0
    while clock < 5:
        out = world.step(np.zeros((2, 1)))
        lived = np.arange(clock, min(clock + repeat, 5)) + 1
        clock = lived[-1]
        np.testing.assert_array_equal(out.next_obs[:, 0], clock)
        np.testing.assert_array_equal(out.reward, lived.sum())
        np.testing.assert_array_equal(out.cost[:, 0], len(lived))
        np.testing.assert_array_equal(out.kinds[:, 0], 0.5 * len(lived))
        np.testing.assert_array_equal(out.terminated, clock == 5)
    np.testing.assert_array_equal(out.obs, 0.0)


@pytest.mark.parametrize("id", ["SafetyPointGoal2-v0", "SafetyHopperVelocity-v1", "SafetyCarCircle-v0"])
def test_steps_of_our_worlds_add_up(id):
    once, thrice = envs.make(id, 3, horizon=40), envs.make(id, 3, action_repeat=3, horizon=40)
    assert thrice.spec.horizon == 14 and ("action repeat", "3") in thrice.spec.notes
    (slow, _), (fast, _) = (dict(world.spec.notes)["dt"].split() for world in (thrice, once))
    assert float(slow) == pytest.approx(3 * float(fast), rel=1e-3)
    seeds, rng = np.array([5, 6, 7]), np.random.default_rng(0)
    once.reset(seeds)
    np.testing.assert_array_equal(once._obs(), thrice.reset(seeds))
    alive = np.ones(3, bool)
    for _ in range(14):
        action = rng.uniform(-1, 1, (3, once.spec.action.size))
        lived = []
        for _ in range(3):
            lived.append((alive.copy(), once.advance(action)))
            alive &= ~(lived[-1][1][3] | lived[-1][1][4])
        out = thrice.step(action)
        was = lived[0][0]
        for k, found in ((1, out.reward), (2, out.cost[:, 0])):
            total = sum(going * np.asarray(step[k]).reshape(3, -1)[:, 0] for going, step in lived)
            np.testing.assert_allclose(found[was], total[was], rtol=1e-6)
        np.testing.assert_array_equal((out.terminated | out.truncated)[was], ~alive[was])
        if not alive.all():
            break
    assert not alive.all()


def test_a_run_resumes_and_is_evaluated_with_the_same_repeat(tmp_path):
    settings = {"env": "SafetyPointGoal1-v0", "env_args": ("action_repeat=4", "horizon=40"), "cost_limit": 25.0}
    settings |= {"num_envs": 2, "eval_every": 40, "log_every": 40, "eval_episodes": 2, "run": str(tmp_path / "run")}
    bridle.train("sac-lag", steps=40, **settings)
    assert bridle.evaluate(str(tmp_path / "run"), episodes=2).length.tolist() == [10, 10]
    assert bridle.evaluate(str(tmp_path / "run"), 2, env_args=("horizon=20", "layout=held-out")).length.tolist() == [
        5,
        5,
    ]
    with pytest.raises(ValueError, match="layout = 'elsewhere'"):
        bridle.evaluate(str(tmp_path / "run"), 2, env_args=("layout=elsewhere",))
    assert bridle.resume(str(tmp_path / "run"), steps=80) is not None


def test_what_cannot_be_repeated_says_so():
    with pytest.raises(ValueError, match="action_repeat = 0; allowed: an integer > 0"):
        envs.make("SafetyPointGoal1-v0", 1, action_repeat=0)
    with pytest.raises(ValueError, match="takes no action_repeat"):
        envs.make("toy/Corridor-v0", 1, action_repeat=2)
    with pytest.raises(ValueError, match="takes no action_repeat"):
        envs.make(lambda: gymnasium.make_vec("Pendulum-v1", 2), 2, action_repeat=2)
