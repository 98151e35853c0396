"""PPO, TRPO, CPO and FOCOPS: within a limit at the linear program's optimum, their steps, and what they refuse."""

import dataclasses
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.algorithms import base_of, config_class, cpo, focops, ppo, trpo
from bridle.core.types import CostLimit
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.maths import gaussian
from bridle.parts.advantages import Experience, ValueFit
from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.pid import PID
from bridle.parts.on_policy import SLOWER, TOO_FAR, Heard, optimiser
from bridle.parts.policies import PlainActor
from bridle.run.collect import Collector
from bridle.run.train import begin, train

path = Path(__file__).with_name("test_off_policy.py")
spec = importlib.util.spec_from_file_location("off_policy", path)
off_policy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(off_policy)

SMALL = {"rollout": 640, "hidden": (32, 32), "aim": 1.0, "discount": 0.95, "cost_discount": 0.95}
VALUES = ValueFit(hidden=(32, 32), batch=64)
MINIBATCHES = {"batch": 64, "actor_rate": 1e-3}
QUICK = {"lagrange": Lagrange(rate=0.3, decay=0.02, cap=20.0), "pid": PID(kp=1.0, ki=0.1)}
"""Prices that rise within the few updates of a test."""


def config_of(name, **settings):
    """A small config of an algorithm by name."""
    base, told = base_of(name)
    own = MINIBATCHES if base in ("ppo", "focops") else {}
    price = {} if base == "cpo" else QUICK
    return config_class(base)(**{**SMALL, "values": VALUES, **own, **price, **told, **settings})


def learn(*what):
    return off_policy.learn(*what, copies=64)


@pytest.mark.parametrize("name", ["ppo-lag", "ppo-pid", "trpo-lag", "trpo-pid", "cpo", "focops"])
def test_the_limit_is_met_near_the_best_return(name):
    returns, cost, optimum, _ = learn("toy/Corridor-v0", (3.0,), 96_000, config_of(name))
    assert cost[0] <= 1.05 * 3.0 and returns >= 0.9 * optimum.returns, (returns, cost, optimum)
    assert cost[0] > 1.0, "and the limit is made use of"


@pytest.mark.parametrize("name", ["cpo", "trpo-pid"])
def test_two_limits_are_met_near_the_best_return(name):
    limits = (3.0, 4.0)
    returns, cost, optimum, _ = learn("toy/TwoCosts-v0", limits, 96_000, config_of(name))
    assert (cost <= 1.05 * np.array(limits)).all() and returns >= 0.9 * optimum.returns, (returns, cost, optimum)


@pytest.mark.parametrize(("name", "settings"), [("ppo", {}), ("trpo", {}), ("cpo", {"constrain_cost": "no"})])
def test_without_a_constraint_cost_is_not_heeded(name, settings):
    returns, cost, optimum, _ = learn("toy/Corridor-v0", (3.0,), 48_000, config_of(name, **settings))
    free = make("toy/Corridor-v0", 1).solve((1e3,)).returns
    assert returns >= 0.95 * free > optimum.returns and cost[0] > 6.0


@pytest.mark.parametrize("mode", ["rate", "discounted"])
def test_other_units_of_cost_keep_their_limit_too(mode):
    _, cost, _, _ = learn("toy/Corridor-v0", (3.0,), 64_000, config_of("cpo", cost_mode=mode))
    assert 1.0 < cost[0] <= 1.2 * 3.0


def rollout(seed=0, rows=400, size=2):
    """An actor and random experience of it, with one cost."""
    actor = PlainActor(jax.random.key(seed), 3, size, (8,), 0.6)
    k_obs, k_action, k_one, k_two = jax.random.split(jax.random.key(seed + 1), 4)
    obs = jax.random.normal(k_obs, (rows, 3))
    dist = actor(obs)
    pre_action = gaussian.sample(dist, k_action)
    noise = 0.3 * jax.random.normal(k_one, (rows,))
    gain = pre_action[:, 0] - pre_action[:, 0].mean() + noise
    cost = (0.2 * pre_action[:, 0] + 0.3 * pre_action[:, 1] + 0.1 * jax.random.normal(k_two, (rows,)))[:, None]
    return actor, Experience(
        obs, pre_action, dist, gaussian.log_prob(dist, pre_action), gain / gain.std(), cost - cost.mean(0),
        jnp.zeros((rows, 2)), jnp.full(rows, 1 / rows),
    )  # fmt: skip


def moved(before, after):
    return max(np.abs(a - b).max() for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True))


@pytest.mark.parametrize("beyond", [-1.0, -0.01, 0.0, 0.01, 1.0])
def test_a_step_of_cpo_stays_in_the_region_and_turns_back_where_cost_is_too_high(beyond):
    actor, batch = rollout()
    config = cpo.Config(fisher_every=1)
    _, told = jax.jit(lambda b: cpo.improve(actor, batch, b, config))(jnp.asarray([beyond]))
    assert told["kl"] <= config.target_kl
    assert told["kl"] > 0 or beyond == 0.0, "exactly at the limit a step may be too dear at every length"
    assert told["cost_gain"] <= max(-beyond, 0.0) + 1e-6
    if beyond >= 1.0:
        assert told["case_0"] == 1 and told["cost_gain"] < -0.01
    if beyond <= -1.0:
        assert told["case_3"] == 1 and told["gain"] > 0.05 and told["nu"] == 0


def test_a_step_that_is_refused_at_every_length_restores_the_policy_to_the_bit():
    actor, batch = rollout()
    wild = batch._replace(advantage=batch.advantage.at[0].set(jnp.nan))
    for config, improve in (
        (cpo.Config(), lambda batch, config: cpo.improve(actor, batch, jnp.zeros(1), config)),
        (trpo.Config(), lambda batch, config: trpo.improve(actor, batch, batch.advantage, config)),
    ):
        same, told = improve(wild, config)
        assert moved(actor, same) == 0.0 and told["step"] == 0.0


def test_trpo_ignores_cost_where_the_published_line_search_does_not():
    actor, batch = rollout()
    dear = batch._replace(cost_advantage=10.0 * batch.advantage[:, None])
    steps = {}
    for mode in ("no", "line_search"):
        config = cpo.Config(constrain_cost=mode)
        steps[mode] = cpo.improve(actor, dear, jnp.asarray([1.0]), config)[1]["step"]
    assert steps["no"] > 0 and steps["line_search"] == 0
    free, told = trpo.improve(actor, batch, batch.advantage, trpo.Config())
    same, _ = cpo.improve(actor, batch, jnp.asarray([1.0]), cpo.Config(constrain_cost="no"))
    assert moved(free, same) < 1e-5 and told["gain"] > 0


def test_deviations_of_actions_stay_above_their_bound():
    actor, batch = rollout()
    # Acting as the mean does is best.
    sure = batch._replace(advantage=-((batch.pre_action - batch.dist.mean) ** 2).sum(-1))
    std = float(jnp.exp(actor.log_std).mean())
    free, _ = cpo.improve(actor, sure, jnp.asarray([-1.0]), cpo.Config())
    held, told = cpo.improve(actor, sure, jnp.asarray([-1.0]), cpo.Config(least_std=0.995 * std))
    assert float(jnp.exp(free.log_std).max()) < 0.99 * std
    assert told["kl"] <= 0.01 and told["gain"] >= 0.0 and told["cost_gain"] <= 1.0, "what was accepted is what is done"
    np.testing.assert_allclose(jnp.exp(held.log_std), 0.995 * std, rtol=1e-5)
    with pytest.raises(ValueError, match=r"least_std = 0\.7; allowed: a number in \[0, initial_std\]"):
        cpo.Config(least_std=0.7)


def test_the_margin_follows_its_recursion_within_its_bounds():
    world = make("toy/Corridor-v0", 4)
    config = cpo.Config(recovery=3.0, margin_rate=0.1, margin_decay=0.9, margin_most=0.5, aim=1.0)
    state = cpo.init(jax.random.key(0), config=config, spec=world.spec, limit=CostLimit((3.0,)))
    _, batch = rollout()
    expected = 0.0
    for cost in (5.0, 6.0, 2.0, 0.0, 0.0, 30.0, 30.0):
        heard = Heard(jnp.asarray([cost]), jnp.asarray(20.0))
        state, beyond, pace = cpo.hold_back(state, heard, batch, None, 0, config, world.spec, CostLimit((3.0,)))
        expected = min(max(0.9 * expected + 0.1 * (cost - 3.0) / 20, 0.0), 0.5 * 3.0 / 20)
        excess = (cost - 3.0) / 20 + expected
        assert np.isclose(state.margin[0], expected)
        assert np.isclose(beyond[0], 3.0 * excess if excess > 0 else excess), (
            "what is too much is asked back three times"
        )
        assert pace == 1.0


@pytest.mark.parametrize("mode", ["episode", "rate"])
def test_steps_become_short_near_the_limit_and_are_whole_beyond_it(mode):
    world, limit = make("toy/Corridor-v0", 4), CostLimit((3.0,))
    config = cpo.Config(least_pace=0.1, margin_rate=0.0, margin_most=0.5, aim=1.0, cost_mode=mode)
    state = cpo.init(jax.random.key(0), config=config, spec=world.spec, limit=limit)
    actor, batch = rollout()

    def pace(cost, margin=0.0, limit=limit):
        rows = SimpleNamespace(cost=jnp.full((20, 4, 1), cost / 20), valid=jnp.ones((20, 4), bool))
        heard, held = Heard(jnp.asarray([cost]), jnp.asarray(20.0)), jnp.asarray([margin / 20])
        return cpo.hold_back(state._replace(margin=held), heard, batch, rows, 0, config, world.spec, limit)[2]

    for cost, expected in ((0.0, 1.0), (1.5, 0.5), (2.7, 0.1), (2.999, 0.1), (3.1, 1.0), (30.0, 1.0)):
        assert np.isclose(pace(cost), expected, atol=1e-4)
    assert np.isclose(pace(0.0, margin=1.5), 0.5, atol=1e-4) and pace(0.0, limit=CostLimit((0.0,))) == 1.0
    step = jax.jit(lambda pace: cpo.improve(actor, batch, jnp.asarray([-0.1]), config, pace)[1]["kl"])
    assert step(0.1) <= 0.1 * config.target_kl < step(1.0)


def slow_loss(name, actor, batch, gain, config):
    """What one minibatch of all rows descends, row by row in NumPy."""
    total = 0.0
    for i in range(len(batch.obs)):
        dist = actor(batch.obs[i])
        ratio = float(jnp.exp(gaussian.log_prob(dist, batch.pre_action[i]) - batch.log_prob[i]))
        if name == "ppo":
            total -= min(ratio * gain[i], float(np.clip(ratio, 1 - config.clip, 1 + config.clip)) * gain[i])
        else:
            old = jax.tree.map(lambda leaf, i=i: leaf[i], batch.dist)
            kl = float(gaussian.kl(dist, old))
            total += (kl - ratio * gain[i] / config.temperature) * (kl <= config.target_kl)
    return total / len(batch.obs)


@pytest.mark.parametrize(("name", "module"), [("ppo", ppo), ("focops", focops)])
def test_a_pass_goes_down_the_loss_as_it_is_defined_until_the_policy_has_moved_far_enough(name, module):
    actor, batch = rollout(rows=40)
    world = make("toy/Corridor-v0", 4)
    config = config_class(name)(batch=40, passes=1, actor_rate=1e-4)
    state = module.init(jax.random.key(0), config=config, spec=world.spec, limit=CostLimit((3.0,)))
    state = state._replace(actor=actor, actor_opt=optimiser(config).init(actor))
    gain = np.asarray(batch.advantage)
    after, told = module.improve(state, batch, batch.advantage, jax.random.key(1), config)
    slope = slow_loss(name, after.actor, batch, gain, config) - slow_loss(name, actor, batch, gain, config)
    assert slope < 0 and told["passes"] == 1 and 0 < told["kl"] < config.target_kl
    many = dataclasses.replace(config, passes=200, actor_rate=1e-2)
    after, told = module.improve(state, batch, batch.advantage, jax.random.key(1), many)
    assert told["passes"] < 200 and told["kl"] <= TOO_FAR * many.target_kl
    wild = dataclasses.replace(config, actor_rate=10.0)
    after, told = module.improve(state, batch, batch.advantage, jax.random.key(1), wild)
    assert moved(after.actor, actor) == 0.0 and told["kl"] == 0.0, "a pass that goes too far is undone"
    assert after.pace == SLOWER * state.pace


def test_an_update_hears_a_horizon_of_steps_and_learns_from_its_rollout_alone():
    world = make("toy/Corridor-v0", 4)
    algorithm = config_of("ppo-lag", rollout=32).build(world.spec, CostLimit((3.0,)))
    assert algorithm.updates[0].draw.length == 20 and algorithm.updates[0].every == 32
    free = config_of("ppo", rollout=32).build(world.spec, CostLimit((3.0,)))
    assert free.updates[0].draw.length == 8 and free.memory == 32
    collector, progress = Collector(world, algorithm, 0), begin(algorithm, 0)
    ring = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    told = []
    train(algorithm, collector, ring, 160, 0, progress, report=lambda p, metrics, _: told.append((p.step, metrics)))
    assert [step for step, metrics in told if metrics] == [96, 128, 160], "the first after 20 steps of each env"
    assert "hears the cost of an episode" in algorithm.about[0] and "8 steps of 4 envs" in algorithm.about[1]


@pytest.mark.parametrize("name", ["ppo-lag", "trpo-lag", "cpo", "focops"])
def test_what_could_never_learn_is_refused_at_the_start(name):
    kind, world = config_class(base_of(name)[0]), make("toy/Corridor-v0", 8)
    endless = dataclasses.replace(world.spec, horizon=None)
    with pytest.raises(ValueError, match="pass --horizon T"):
        config_of(name).build(endless, CostLimit((3.0,)))
    for field, value in (("rollout", 0), ("aim", 1.2), ("trace", 1.5), ("initial_std", 0.0)):
        with pytest.raises(ValueError, match=f"{field} = {value}; allowed"):
            kind(**{field: value})


def test_more_limits_than_a_region_keeps_are_refused():
    spec = dataclasses.replace(make("toy/Corridor-v0", 8).spec, constraints=tuple("abcdefg"))
    with pytest.raises(ValueError, match="cpo keeps 6 limits at most, and toy/Corridor-v0 has 7"):
        cpo.Config().build(spec, CostLimit((1.0,) * 7))
