"""The original Safety-Gymnasium by name: here a module that stands for it, or that cannot be imported."""

import sys
import types

import gymnasium
import numpy as np
import pytest

from bridle import envs


class Six(gymnasium.Env):
    """Steps give six values, as the original's do."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (3,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32), {}

    def step(self, action):
        return np.zeros(3, np.float32), 1.0, 0.5, False, False, {}


def stand_in(monkeypatch, **parts):
    module = types.ModuleType("safety_gymnasium")
    vars(module).update(parts)
    monkeypatch.setitem(sys.modules, "safety_gymnasium", module)


def test_the_original_is_stepped_with_its_six_values(monkeypatch):
    stand_in(monkeypatch, make=lambda id, **args: Six(), registry={"SafetyPointGoal1-v0": 1})
    world = envs.make("safety_gymnasium:SafetyPointGoal1-v0", 2)
    world.reset(np.arange(2))
    np.testing.assert_array_equal(world.step(np.zeros((2, 2))).cost, [[0.5], [0.5]])
    with pytest.raises(
        ValueError, match="has no environment 'SafetyPointGoal9-v0'; did you mean 'SafetyPointGoal1-v0'"
    ):
        envs.make("safety_gymnasium:SafetyPointGoal9-v0", 2)


def test_without_it_ours_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "safety_gymnasium", None)
    for look in (envs.make, envs.check_elsewhere):
        with pytest.raises(ValueError, match="is not installed .*, or take ours: --env SafetyPointGoal1-v0"):
            look("safety_gymnasium:SafetyPointGoal1-v0")


def test_one_that_cannot_be_imported_says_why(monkeypatch, tmp_path):
    (tmp_path / "safety_gymnasium.py").write_text("raise ValueError('mutable default')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "safety_gymnasium", raising=False)
    with pytest.raises(ValueError, match=r"cannot be imported here \(ValueError: mutable default\), or take ours"):
        envs.make("safety_gymnasium:SafetyPointGoal1-v0")
