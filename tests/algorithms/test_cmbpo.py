"""CMBPO: within a limit on few real steps, where its paths begin and end, and what its switches turn it into."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bridle
from bridle.algorithms import cmbpo, cpo
from bridle.core.types import CostLimit, Rules
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.maths import gaussian
from bridle.parts import advantages
from bridle.parts.advantages import ValueFit
from bridle.parts.dynamics.lived import asked, known
from bridle.parts.dynamics.model import Dynamics
from bridle.run.collect import Collector
from bridle.run.train import begin, train

path = Path(__file__).with_name("test_off_policy.py")
spec = importlib.util.spec_from_file_location("off_policy", path)
off_policy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(off_policy)

POLICY = cpo.Config(
    hidden=(32, 32), aim=1.0, discount=0.95, cost_discount=0.95, values=ValueFit(hidden=(32, 32), batch=64)
)
MODEL = Dynamics(hidden=(32, 32), members=4, elites=3, batch=64, decay=(1e-6,), scale_out=True, max_updates=100)
SMALL = {
    "policy": POLICY,
    "model": MODEL,
    "explore": 1280,
    "fit_every": 320,
    "real": 320,
    "min_real": 160,
    "max_real": 640,
    "batch": 2000,
    "paths": 200,
    "longest": 10,
    "memory": 8000,
    "sampled": True,
}


def test_the_limit_is_met_near_the_best_return_on_a_quarter_of_the_steps_of_cpo():
    returns, cost, optimum, progress = off_policy.learn("toy/Corridor-v0", (3.0,), 24_000, cmbpo.Config(**SMALL))
    assert cost[0] <= 1.05 * 3.0 and returns >= 0.9 * optimum.returns, (returns, cost, optimum)
    assert cost[0] > 1.0, "and the limit is made use of"
    assert progress.state.model.fits > 50 and progress.state.epoch > 40


@pytest.fixture(scope="module")
def learner():
    """A state, what its next update would draw, and the algorithm with what it is bound to."""
    world = make("toy/Corridor-v0", 8)
    config = cmbpo.Config(**SMALL | {"explore": 320, "max_real": 320, "memory": 1600, "first_updates": 200})
    algorithm = config.build(world.spec, CostLimit((3.0,)))
    collector, progress = Collector(world, algorithm, 0), begin(algorithm, 0)
    ring = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    told = []
    progress = train(algorithm, collector, ring, 960, 0, progress, report=lambda p, m, _: told.append((p.step, m)))
    model = asked(config.model, Rules(), True)
    data = jax.tree.map(lambda leaf: leaf[0], ring.draw(algorithm.updates[1].draw, 1, 960, 0, np.random.default_rng(0)))
    return config, world.spec, model, progress.state, data, told


def test_the_first_fit_is_after_exploration_and_policies_follow_as_often_as_doubt_asks(learner):
    config, _, _, state, _, told = learner
    fits = {step: metrics["model/updates"] for step, metrics in told if "model/updates" in metrics}
    assert list(fits) == [320, 640, 960] and fits[320] == 200 and max(fits[640], fits[960]) <= MODEL.max_updates
    policies = [step for step, metrics in told if "policy/kl" in metrics]
    assert policies[0] == 320 and state.epoch == len(policies)
    assert config.min_real <= state.wanted <= config.max_real


def test_an_update_learns_from_what_its_own_policy_lived(learner):
    config, world, _, state, data, _ = learner
    recent = cmbpo.latest(cmbpo.plain(data)[0], config, world)
    epochs = np.asarray(recent.extras["epoch"])[:, 0]
    assert (np.diff(epochs) >= 0).all() and len(epochs) == 40, "oldest first, as the ring wraps"
    assert epochs[-1] == state.epoch - 1 or epochs[-1] == state.epoch


def test_cost_is_heard_over_the_last_episode_of_each_copy_alone(learner):
    config, world, model, state, data, _ = learner
    config = dataclasses.replace(config, real=160)
    bound = {"config": config, "spec": world, "limit": CostLimit((3.0,)), "model": model, "rules": Rules()}
    run = jax.jit(lambda data: cmbpo.update_policy(state, data, jax.random.key(0), **bound)[1]["episode_cost"])
    dear = jnp.asarray(data.rows.cost) + 5.0
    place = (int(data.step / world.num_envs) - 1 - jnp.arange(len(dear))) % len(dear)  # newest first
    heard = {}
    for name, rows in (("old", place[world.horizon :]), ("new", place[: world.horizon])):
        cost = jnp.asarray(data.rows.cost).at[rows].set(dear[rows])
        heard[name] = run(data._replace(rows=data.rows._replace(cost=cost)))
    now = run(data)
    assert heard["old"] == now and np.isclose(heard["new"], now + 5.0 * world.horizon)


def rows_of(data):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf.reshape(-1, *leaf.shape[2:])), data.rows)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_paths_begin_where_past_policies_were_by_their_divergence(learner, alpha):
    config, _, _, state, data, _ = learner
    rows = rows_of(data)
    valid, who = np.asarray(rows.valid), np.asarray(rows.extras["epoch"])
    # Mark each row by its own number, with one policy of which the present one has moved far away.
    apart = who == who[valid].min()
    rows = rows._replace(
        extras={**rows.extras, "mean": np.where(apart[:, None], rows.extras["mean"] + 2.0, rows.extras["mean"])}
    )
    now = state.actor(cmbpo.normalise(state.moments, jnp.asarray(rows.obs)))
    kl = np.asarray(
        gaussian.kl(now, cmbpo.Gaussian(rows.extras["mean"], np.where(valid[:, None], rows.extras["std"], 1.0)))
    )
    numbered = rows._replace(obs=jnp.concatenate([rows.obs, jnp.arange(len(valid))[:, None] * 1.0], -1))
    actor = lambda obs: state.actor(obs[..., :-1])
    blind = state._replace(actor=actor, moments=())
    seen = cmbpo.normalise(state.moments, jnp.asarray(rows.obs))
    blind_rows = numbered._replace(obs=jnp.concatenate([seen, jnp.arange(len(valid))[:, None] * 1.0], -1))
    config = dataclasses.replace(config, resampling=alpha)
    drawn = np.asarray(cmbpo.starts_of(blind, blind_rows, config)(jax.random.key(0), 20_000))[:, -1].astype(int)
    assert valid[drawn].all()
    expected = {e: np.exp(-alpha * kl[valid & (who == e)].mean()) for e in np.unique(who[valid])}
    whole = sum(expected.values())
    for e, weight in expected.items():
        assert np.isclose((who[drawn] == e).mean(), weight / whole, atol=0.02)


def test_paths_end_before_their_doubt_reaches_the_budget(learner):
    config, _, model, state, data, _ = learner
    starts = cmbpo.starts_of(state, rows_of(data), config)(jax.random.key(0), 64)
    budget = 2.0 * state.usual
    bound = cmbpo.lived(state, starts, config.longest, jax.random.key(1), budget, config, model, Rules())
    free = cmbpo.lived(state, starts, config.longest, jax.random.key(1), None, config, model, Rules())
    assert (bound.path_doubt < budget).all() and (free.horizon == config.longest).all()
    assert bound.horizon.mean() < config.longest


def test_imagination_goes_on_until_the_batch_is_full_and_its_steps_are_learned_from_once(learner):
    config, _, model, state, data, _ = learner
    dreamt = cmbpo.dreamt_of(state, rows_of(data), 1_500, jax.random.key(0), config, model, Rules())
    count = int(dreamt.rows.valid.sum())
    assert 1_500 <= count <= 1_500 + config.paths
    begun = np.asarray(dreamt.rows.valid & (dreamt.age == 0))
    assert begun.sum() > config.paths, "paths follow one another"
    imagined = cmbpo.of_rows(state, dreamt.rows, config)
    assert (imagined.weight > 0).sum() == count
    fresh = jax.tree.map(lambda leaf: jnp.asarray(leaf[:30]), cmbpo.plain(data)[0].rows)
    real = cmbpo.of_rows(state, fresh, config)
    batch = advantages.joined(real, imagined, False, config.batch)
    there = np.asarray(batch.weight) > 0
    lived = int(fresh.valid.sum())
    assert there.sum() == min(config.batch, count + lived) and batch.weight.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(batch.advantage[:lived], real.advantage[np.asarray(real.weight) > 0])
    np.testing.assert_array_equal(
        batch.advantage[there][lived:], imagined.advantage[np.asarray(imagined.weight) > 0][: config.batch - lived]
    )
    together = advantages.joined(real, imagined, True, config.batch)
    assert together.weight @ together.advantage == pytest.approx(0.0, abs=1e-5)
    assert together.weight @ together.advantage**2 == pytest.approx(1.0, abs=1e-4)


def test_members_live_copies_of_a_path_by_the_same_draws_and_unsure_ends_are_cut(learner):
    config, _, model, state, data, _ = learner
    config = dataclasses.replace(config, rollouts="inverse_variance")
    dreamt, batch = cmbpo.by_inverse_variance(state, rows_of(data), jax.random.key(0), config, model, Rules())
    rows, paths = dreamt.rows, -(-config.batch // config.longest)
    assert rows.valid.shape == (config.longest, paths) and (batch.weight > 0).sum() == rows.valid.sum()
    begins = np.asarray(rows.valid[1:] & ~rows.valid[:-1])
    assert not begins.any() and rows.valid[0].mean() > 0.5
    ends = np.asarray(rows.truncated | rows.terminated)
    np.testing.assert_array_equal(ends.sum(0), np.asarray(rows.valid[0]))
    one = dataclasses.replace(config, most_variance=1e9)
    free, _ = cmbpo.by_inverse_variance(state, rows_of(data), jax.random.key(0), one, model, Rules())
    assert free.rows.valid.sum() >= rows.valid.sum()
    same = np.asarray(rows.valid)
    np.testing.assert_array_equal(np.asarray(free.rows.obs)[same], np.asarray(rows.obs)[same])


def test_without_a_model_it_is_cpo_and_without_a_constraint_trpo():
    world = make("toy/Corridor-v0", 8)
    plain = cmbpo.Config(use_model=False, policy=POLICY).build(world.spec, CostLimit((3.0,)))
    assert [update.name for update in plain.updates] == ["policy"]
    assert plain.memory == POLICY.build(world.spec, CostLimit((3.0,))).memory
    free = cmbpo.Config(policy=dataclasses.replace(POLICY, constrain_cost="no"))
    assert not free.constrained and cmbpo.Config().constrained


def test_what_could_never_learn_is_refused_at_the_start():
    world = make("toy/Corridor-v0", 8)
    with pytest.raises(ValueError, match="explore = 64; allowed: an integer >= 128: a model learns nothing"):
        cmbpo.Config(**SMALL | {"explore": 64}).build(world.spec, CostLimit((3.0,)))
    with pytest.raises(ValueError, match="memory = 100; allowed: an integer >= 1280"):
        cmbpo.Config(**SMALL | {"memory": 100}).build(world.spec, CostLimit((3.0,)))
    for field, value in (("paths", 0), ("schedule", (5, 1, 1, 1)), ("max_real", 10), ("resampling", -1.0)):
        with pytest.raises(ValueError, match=f"{field} = .*; allowed"):
            cmbpo.Config(**{field: value})


def test_costs_and_ends_are_learned_where_no_rule_tells_them():
    world = make("toy/Corridor-v0", 8).spec
    told = asked(cmbpo.Config().model, Rules(), True)
    assert told.learn_cost == "real" and told.learn_termination
    ruled = Rules(cost=lambda *seen: 0, terminated=lambda *seen: False)
    spared = asked(cmbpo.Config().model, ruled, True)
    assert spared.learn_cost == "no" and not spared.learn_termination
    assert asked(cmbpo.Config().model, Rules(), False).learn_cost == "no"
    ruled_world = dataclasses.replace(world, rules=ruled)
    assert known(ruled_world) == ruled and known(world) == Rules()
    for rules, learned in (("known", "reward"), ("learned", "reward, cost, terminated")):
        about = cmbpo.Config(rules=rules).build(ruled_world, CostLimit((3.0,))).about
        assert about[-1] == f"the model learns next observations and {learned}"


def test_a_policy_that_was_learned_by_rules_is_loaded_without_them(tmp_path):
    small = {"hidden": (8,), "values": {"hidden": (8,)}}
    model = {"hidden": (8,), "members": 2, "elites": 1, "batch": 16}
    run = bridle.train(
        "cmbpo", "HalfCheetahSafe-v2", cost_limit=10.0, num_envs=2, steps=128, policy=small, model=model, explore=64, fit_every=64,
        real=64, min_real=64, max_real=64, paths=4, longest=2, batch=80, memory=2_000, eval_episodes=1, run=str(tmp_path / "run"),
    ).run  # fmt: skip
    policy = bridle.load(run)
    assert policy.predict(np.zeros(20, np.float32)).shape == (6,)
    assert policy.config.model.loss == cmbpo.Config().model.loss, (
        "settings of the model that were not told are CMBPO's own"
    )
    assert policy.config.policy.values.members == cmbpo.Config().policy.values.members
