"""Rules that a user gives: what is checked at the door, and what becomes of them."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import bridle
from bridle import envs
from bridle.core.types import Continuous, Discrete, Leaf, Rules, Spec
from bridle.envs.rules import check_rules
from bridle.run import folder

SPEC = Spec("mine", Leaf((4,)), Continuous(2))


def far(obs, action, next_obs):
    return (abs(next_obs[..., 0]) > 1.0) * 1.0


def far_rule(obs, action, next_obs):
    return far(obs, action, next_obs)[..., None]


def lost(obs, action, next_obs):
    return next_obs[..., 0] > 2.0


RULES = Rules(cost=far_rule, terminated=lost)


class Drift(gymnasium.Env):
    """A point that moves by its action, of up to 3 to either side."""

    observation_space = gymnasium.spaces.Box(-9, 9, (4,))
    action_space = gymnasium.spaces.Box(np.float32([0, -3]), np.float32([2, 3]))

    def reset(self, *, seed=None, options=None):
        self.at = np.zeros(4, np.float32)
        return self.at, {}

    def step(self, action):
        self.at = np.concatenate([action, [0, 0]]).astype(np.float32)
        return self.at, 0.0, False, False, {"cost": 0.0}


def price_of_action(obs, action, next_obs):
    return action[..., 0] + 10.0 * action[..., 1]


def branching(obs, action, next_obs):
    return (np.ones if next_obs.sum() > 0 else np.zeros)((*next_obs.shape[:-1], 1))


def changing(obs, action, next_obs):
    next_obs *= 0.5
    return next_obs[..., :1]


def noisy(obs, action, next_obs):
    return np.random.default_rng().normal(size=(*obs.shape[:-1], 1))


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        (Rules(cost=noisy), "`cost` of environment 'mine' tells two things of the same arguments; to mend it: it must depend"),
        (Rules(cost=changing), "`cost` .* changes its arguments"),
        (Rules(cost=far), r"`cost` .* gives \(2, 3\) for obs \(2, 3, 4\); allowed: \(2, 3, 1\) and one number for each of cost"),
        (Rules(terminated=lambda o, a, n: n[:, 0] > 0), r"`terminated` .* gives \(2, 4\) for obs .*work on the last axis"),
        (Rules(reward=lambda o, a, n: n[..., 0] - n[..., 0].mean(0)), r"`reward` .* tells other things .* \[6\] and as \[2 3\]"),
        (Rules(cost=branching), "`cost` .* (cannot be traced by JAX|tells other things)"),
        (Rules(reward=lambda o, a, n: np.array([float(x) for x in n[..., 0].ravel()]).reshape(n.shape[:-1])), "`reward` .* cannot be traced by JAX: .*; to mend it: write it with operators"),
        (Rules(terminated=lambda o, a, n: n[..., 0]), "`terminated` .* gives float32; allowed: bool"),
        (Rules(cost=lambda o, a, n: n[..., :1] > 0), "`cost` .* gives bool; allowed: numbers"),
        (Rules(cost=lambda o, a, n: n @ np.ones((5, 1))), r"`cost` .* raises ValueError on obs \[2 3 4\]"),
        (far, "allowed: a bridle.core.types.Rules"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_told(rules, wrong):
    with pytest.raises(ValueError, match=wrong):
        check_rules(rules, SPEC)


def test_good_rules_pass_and_odd_spaces_have_none():
    check_rules(RULES, SPEC)
    check_rules(Rules(), SPEC)
    for odd in (replace(SPEC, action=Discrete(3)), replace(SPEC, obs={"a": Leaf((4,))})):
        with pytest.raises(ValueError, match="rules are allowed where obs are one array"):
            check_rules(RULES, odd)


def test_rules_are_found_by_name_checked_and_told(tmp_path, monkeypatch):
    (tmp_path / "my_rules.py").write_text(
        "from bridle.core.types import Rules\nRULES = Rules(terminated=lambda o, a, n: n[..., 0] > 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    world = envs.make(Drift, 2, rules="my_rules:RULES")
    assert world.spec.rules.cost is None and world.spec.rules.terminated(
        0, 0, np.float32([[3, 0], [1, 0]])
    ).tolist() == [1, 0]
    with pytest.raises(ValueError, match="the rule `cost` of environment '.*Drift' gives"):
        envs.make(Drift, 2, rules=Rules(cost=far))
    with pytest.raises(ValueError, match="rules = 'cost_fn', but no cost_fn is given"):
        envs.make(Drift, 2, rules="cost_fn")


def test_a_cost_function_may_be_a_rule_as_well():
    """It gets actions in the environment's own units, a rule gets them in [-1, 1]."""
    world = envs.make(Drift, 3, cost_fn=price_of_action, rules="cost_fn")
    obs, action = world.reset(np.arange(3)), np.float32([[0, 0], [1, 0.5], [-1, -1]])
    out = world.step(action)
    np.testing.assert_allclose(out.cost[:, 0], [1.0, 17.0, -30.0])
    np.testing.assert_allclose(world.spec.rules.cost(obs, action, out.next_obs), out.cost)
    ours = envs.make("AntSafe-v2", 2, cost_fn=far, rules="cost_fn")
    assert ours.spec.rules.terminated is not None
    for one in (world, ours):
        one.close()


def test_a_cost_function_replaces_a_worlds_own_rule_and_so_does_a_repeated_action():
    known = envs.make("AntSafe-v2", 2).spec.rules
    assert envs.make("AntSafe-v2", 2, cost_fn=far).spec.rules == replace(known, cost=None)
    assert envs.make("AntSafe-v2", 2, action_repeat=2).spec.rules is None


def test_rules_are_neither_saved_nor_compared():
    told = replace(SPEC, rules=RULES)
    assert told == SPEC and hash(told) == hash(SPEC) and "rules" not in folder.spec_to_json(told)
    assert folder.spec_from_json(folder.spec_to_json(told)) == SPEC


def test_a_run_that_goes_on_has_the_rules_of_its_world_again(tmp_path, monkeypatch):
    from bridle.algorithms import sac

    seen = []
    build = sac.Config.build
    monkeypatch.setattr(
        sac.Config, "build", lambda self, spec, limit: seen.append(spec.rules) or build(self, spec, limit)
    )
    small = {
        "num_envs": 2,
        "eval_every": 64,
        "eval_episodes": 1,
        "hidden": (8,),
        "batch": 8,
        "memory": 256,
        "warmup": 32,
    }
    args = ("horizon=16", "rules=published")
    run = str(tmp_path / "run")
    bridle.train("sac", "HalfCheetahSafe-v2", steps=64, run=run, env_args=args, **small)
    bridle.resume(run, 128)
    own = envs.make("HalfCheetahSafe-v2", 1, rules="published").spec.rules
    assert seen == [own, own] and "rules" not in folder.open_run(run).config["spec"]
