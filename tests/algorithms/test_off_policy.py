"""SAC, TD3 and DDPG: within a limit at the linear program's optimum, their losses, and what their extras do."""

import dataclasses

import jax
import numpy as np
import pytest

from bridle.algorithms import FORMS, base_of, config_class, ddpg, sac, td3
from bridle.core.types import CostLimit
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run.collect import Collector
from bridle.run.evaluate import Evaluator
from bridle.run.records import from_json
from bridle.run.train import Duty, begin, train

SMALL = {
    "discount": 0.9,
    "hidden": (32, 32),
    "batch": 64,
    "every": 160,
    "times": 16,
    "memory": 20_000,
    "warmup": 1_000,
    "actor_rate": 1e-3,
    "aim": 0.95,
}


def learn(world_name, limit, steps, config, seed=0, copies=16):
    """Mean return and cost [C] of the last evaluations, the optimum, and the learner."""
    world, trial = make(world_name, copies), make(world_name, 100)
    algorithm = config.build(world.spec, CostLimit(limit))
    collector = Collector(world, algorithm, seed)
    progress = begin(algorithm, seed)
    ring = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    evaluator, found = Evaluator(trial, algorithm, seed + 1), []
    watch = Duty(steps // 30, lambda progress: found.append(evaluator.play(progress.actor, 200, progress.step)))
    progress = train(algorithm, collector, ring, steps, seed, progress, [watch])
    last = found[-10:]
    returns, cost = np.mean([e.returns.mean() for e in last]), np.mean([e.cost.mean(0) for e in last], 0)
    return returns, cost, world.solve(limit), progress


@pytest.mark.parametrize("name", [name for name in FORMS if base_of(name)[0] in ("sac", "td3", "ddpg")])
def test_the_limit_is_met_near_the_best_return(name):
    base, told = base_of(name)
    extra = {"alpha": 0.02, "temperature": "fixed"} if base == "sac" else {}
    config = config_class(base)(**SMALL, **told, **extra)
    returns, cost, optimum, _ = learn("toy/Corridor-v0", (3.0,), 48_000, config)
    assert cost[0] <= 1.05 * 3.0 and returns >= 0.9 * optimum.returns, (returns, cost, optimum)
    assert cost[0] > 1.0, "and the limit is made use of"


def test_two_limits_are_met_near_the_best_return():
    config = sac.Config(**SMALL, constraint="pid", alpha=0.02, temperature="fixed")
    returns, cost, optimum, _ = learn("toy/TwoCosts-v0", (3.0, 4.0), 48_000, config)
    assert (cost <= 1.05 * np.array([3.0, 4.0])).all() and returns >= 0.9 * optimum.returns, (returns, cost, optimum)


@pytest.mark.parametrize("name", ["sac", "td3", "ddpg"])
def test_without_a_constraint_cost_is_not_heeded_and_has_no_critic(name):
    config = config_class(name)(**SMALL)
    returns, cost, optimum, progress = learn("toy/Corridor-v0", (3.0,), 16_000, config)
    free = make("toy/Corridor-v0", 1).solve((1e3,)).returns
    assert returns >= 0.95 * free > optimum.returns and cost[0] > 6.0
    assert len(progress.state.critics) == 1


def test_the_cost_critic_can_be_what_a_multiplier_hears():
    config = td3.Config(**SMALL, constraint="pid", signal="critic")
    _, cost, _, progress = learn("toy/Corridor-v0", (3.0,), 24_000, config)
    assert 0.0 < float(progress.state.multiplier.weight[0]) and cost[0] <= 1.05 * 3.0


def test_what_random_actions_cost_is_nothing_to_the_multiplier():
    config = td3.Config(**SMALL, constraint="lagrange")
    algorithm = config.build(make("toy/Corridor-v0", 16).spec, CostLimit((3.0,)))
    constraint = algorithm.updates[1]
    assert constraint.start - constraint.draw.length * 16 >= config.warmup // config.every * config.every


def test_ddpg_is_td3_with_one_critic_no_delay_and_no_smoothing():
    assert ddpg.Config().critics == ddpg.Config().actor_every == 1 and ddpg.Config().target_noise == 0.0
    same = {"critics": 1, "actor_every": 1, "target_noise": 0.0, "target_rate": 0.005}
    theirs = dataclasses.asdict(td3.Config(**same))
    assert dataclasses.asdict(ddpg.Config()) == theirs


@pytest.mark.parametrize("name", ["sac", "td3", "ddpg"])
def test_what_could_never_learn_is_refused_at_the_start(name):
    kind, world = config_class(name), make("toy/Corridor-v0", 8)
    with pytest.raises(ValueError, match="memory = 200; allowed: an integer >= 256, what one draw needs"):
        kind(memory=200).build(world.spec, CostLimit((3.0,)))
    endless = dataclasses.replace(world.spec, horizon=None)
    for signal in ("recent", "critic"):
        with pytest.raises(ValueError, match="pass --horizon T"):
            kind(constraint="pid", signal=signal).build(endless, CostLimit((3.0,)))
    kind(constraint="pid", signal="episodes").build(endless, CostLimit((3.0,)))
    for field, value in (("batch", 0), ("aim", 1.2), ("subset", 5), ("actor_rate", 0.0)):
        with pytest.raises(ValueError, match=f"{field} = {value}; allowed"):
            kind(**{field: value})


def one_update(config, rows=32, seed=0):
    """The state before and after one update on the toy."""
    world = make("toy/Corridor-v0", 8)
    algorithm = config.build(world.spec, CostLimit((3.0,)))
    collector = Collector(world, algorithm, seed)
    state = algorithm.init(jax.random.key(seed))
    ring = Ring(world.spec, algorithm.memory, {}, algorithm.columns)
    for row in collector.gather(algorithm.actor(state), 0, rows):
        ring.add(row, 1)
    update = algorithm.updates[0]
    data = jax.tree.map(lambda x: x[0], ring.draw(update.draw, 1, 1, 0, np.random.default_rng(seed)))
    return state, jax.jit(update.step)(state, data, jax.random.key(1))[0]


def test_critics_learn_the_entropy_of_rewards_targets_and_of_cost_only_if_asked():
    settings = {"constraint": "lagrange", "n_step": 1, "alpha": 5.0, "batch": 16, "warmup": 0, "hidden": (8,)}
    _, plain = one_update(sac.Config(**settings))
    _, published = one_update(sac.Config(**settings, entropy_in_cost=True))
    slopes = [state.critic_opt[0].mu for state in (plain, published)]  # of reward and of cost, after one step
    np.testing.assert_array_equal(slopes[0][0].biases[-1], slopes[1][0].biases[-1])
    assert not np.array_equal(slopes[0][1].biases[-1], slopes[1][1].biases[-1])


def test_the_actor_learns_as_seldom_as_it_is_told():
    config = td3.Config(batch=16, warmup=0, hidden=(8,), actor_every=3)
    before, after = one_update(config)
    assert int(after.updates) == 1
    np.testing.assert_array_equal(before.actor.net.weights[0], after.actor.net.weights[0])
    assert not np.array_equal(before.critics[0].from_obs, after.critics[0].from_obs)
    _, after = one_update(dataclasses.replace(config, actor_every=1))
    assert not np.array_equal(before.actor.net.weights[0], after.actor.net.weights[0])


def test_some_copies_act_without_noise_and_the_multiplier_hears_them_alone():
    config = td3.Config(**{**SMALL, "hidden": (8,)}, constraint="lagrange", noiseless=0.5)
    world = make("toy/Corridor-v0", 8)
    algorithm = config.build(world.spec, CostLimit((3.0,)))
    state = algorithm.init(jax.random.key(0))
    obs = world.reset(np.zeros(8, np.int64))
    calm = algorithm.begin(8)
    actions = np.asarray(algorithm.act(algorithm.actor(state), calm, obs, jax.random.key(1), True)[1])
    assert np.ptp(actions[:4]) == 0 and len(np.unique(actions[4:])) == 4
    heard, rows = [], Collector(world, algorithm, 0).gather(algorithm.actor(state), 0, 20)
    for dear in (slice(0, 4), slice(4, 8)):
        cost = np.zeros((20, 8, 1), np.float32)
        cost[:, dear] = 1.0
        ring = Ring(world.spec, algorithm.memory, {}, algorithm.columns)
        for row, priced in zip(rows, cost, strict=True):
            ring.add(row._replace(cost=priced), 1)
        update = algorithm.updates[1]
        data = jax.tree.map(lambda x: x[0], ring.draw(update.draw, 1, 1, 0, np.random.default_rng(0)))
        heard.append(float(update.step(state, data, jax.random.key(0))[1]["episode_cost"]))
    assert heard[0] > 0.0 == heard[1]
    every = dataclasses.replace(config, noiseless=0.0)
    actions = every.build(world.spec, CostLimit((3.0,))).act(
        algorithm.actor(state), calm, obs, jax.random.key(1), True
    )[1]
    assert len(np.unique(actions)) == 8


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_noise_has_its_deviation_and_keeps_its_part_from_step_to_step(correlation):
    config = td3.Config(hidden=(8,), noise=0.1, noiseless=0.0, correlation=correlation)
    world = make("toy/Corridor-v0", 64)
    algorithm = config.build(world.spec, CostLimit((3.0,)))
    actor, obs = algorithm.actor(algorithm.init(jax.random.key(0))), world.reset(np.zeros(64, np.int64))

    def one(carry, key):
        carry, action, _ = algorithm.act(actor, carry, obs, key, True)
        return carry, action

    _, actions = jax.jit(lambda keys: jax.lax.scan(one, algorithm.begin(64), keys))(
        jax.random.split(jax.random.key(1), 400)
    )
    noise = (
        np.asarray(actions)[50:, :, 0]
        - np.asarray(algorithm.act(actor, algorithm.begin(64), obs, None, False)[1])[:, 0]
    )
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    assert np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1] == pytest.approx(correlation, abs=0.03)


def test_observations_are_normalised_by_what_was_lived():
    config = sac.Config(**{**SMALL, "hidden": (16,)}, normalise_obs=True)
    *_, progress = learn("toy/Corridor-v0", (3.0,), 3_200, config)
    assert float(progress.state.moments.count) == 3_200
    moments = progress.actor[1]
    assert np.all(np.isfinite(moments.mean)) and np.any(np.asarray(moments.mean) != 0)


def test_nested_settings_come_back_from_a_record():
    told = {"constraint": "pid", "pid": {"kp": 0.3, "kind": "PID"}, "lagrange": {"rate": 0.2}}
    config = from_json(sac.Config, told)
    assert (config.pid.kp, config.lagrange.rate, config.constraint) == (0.3, 0.2, "pid")
    with pytest.raises(ValueError, match=r"no field 'pid.kq' in PID; did you mean 'kp'"):
        from_json(sac.Config, {"pid": {"kq": 1.0}})
