"""Advantages of reward and cost side by side, and values that are fitted to them."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Transition
from bridle.maths.gaussian import Gaussian
from bridle.parts.advantages import (
    Experience,
    ValueFit,
    advantages,
    experience,
    fit_values,
    joined,
    member_values,
    no_values,
    value_of,
)

CONFIG = {"discount": 0.9, "cost_discount": 0.5, "trace": 0.8, "cost_trace": 0.3}


def lived(length=6, envs=2, seed=0):
    rng = np.random.default_rng(seed)
    ended = rng.uniform(size=(2, length, envs)) < 0.3
    return Transition(
        obs=rng.normal(size=(length, envs, 3)).astype(np.float32),
        action=np.zeros((length, envs, 1), np.float32),
        reward=rng.normal(size=(length, envs)).astype(np.float32),
        cost=rng.uniform(size=(length, envs, 1)).astype(np.float32),
        next_obs=rng.normal(size=(length, envs, 3)).astype(np.float32),
        terminated=ended[0],
        truncated=ended[1] & ~ended[0],
        valid=np.ones((length, envs), bool),
        extras={"pre_action": rng.normal(size=(length, envs, 1)).astype(np.float32)},
    )


@pytest.mark.parametrize(("after_death", "bootstraps"), [("masked", False), ("unmasked", True)])
def test_a_termination_ends_reward_and_ends_cost_unless_that_is_not_wanted(after_death, bootstraps):
    values = no_values(jax.random.key(0), 3, 1, ValueFit())
    rows = lived(length=1)._replace(terminated=np.array([[True, False]]), truncated=np.array([[False, True]]))
    config = SimpleNamespace(**CONFIG, cost_after_death=after_death)
    rows = jax.tree.map(jnp.asarray, rows)
    _, targets = advantages(values, rows, rows.obs, rows.next_obs, config)
    after = value_of(values, rows.next_obs)[0]
    died, timed_out = targets[0]
    np.testing.assert_allclose(died[0], rows.reward[0, 0], atol=1e-6)
    np.testing.assert_allclose(died[1], rows.cost[0, 0, 0] + bootstraps * 0.5 * after[0, 1], atol=1e-6)
    np.testing.assert_allclose(timed_out[0], rows.reward[0, 1] + 0.9 * after[1, 0], atol=1e-6)
    np.testing.assert_allclose(timed_out[1], rows.cost[0, 1, 0] + 0.5 * after[1, 1], atol=1e-6)


def flat(rows, advantage, targets):
    dist = Gaussian(jnp.zeros((*rows.reward.shape, 1)), jnp.ones((*rows.reward.shape, 1)))
    return experience(rows, jnp.asarray(rows.obs), dist, jnp.zeros(rows.reward.shape), advantage, targets)


def test_advantages_are_centred_and_only_that_of_reward_is_scaled_and_dummy_rows_count_for_nothing():
    rows = lived(length=40)
    rows.valid[3, 1] = False
    found = np.random.default_rng(1).normal(2.0, 3.0, (40, 2, 2)).astype(np.float32)
    wild = found.copy()
    wild[3, 1] = 1e6
    one, other = flat(rows, found, found), flat(rows, wild, wild)
    valid = rows.valid.reshape(-1)
    assert one.weight[~valid] == 0.0 and np.isclose(one.weight.sum(), 1.0)
    kept = found.reshape(-1, 2)[valid]
    np.testing.assert_allclose(one.advantage[valid], (kept[:, 0] - kept[:, 0].mean()) / kept[:, 0].std(), atol=1e-4)
    np.testing.assert_allclose(one.cost_advantage[valid, 0], kept[:, 1] - kept[:, 1].mean(), atol=1e-4)
    np.testing.assert_allclose(one.advantage[valid], other.advantage[valid], atol=1e-4)


def test_values_learn_what_they_are_shown_in_its_own_units_and_nothing_of_dummy_rows():
    fit = ValueFit(hidden=(32,), members=2, rate=3e-3, passes=40, batch=64)
    values = no_values(jax.random.key(0), 3, 1, fit)
    rows = lived(length=300)
    truth = np.stack([500.0 + 200.0 * rows.obs[..., 0], 0.02 * rows.obs[..., 1]], -1)
    rows.valid[::7] = False
    shown = truth.copy()
    shown[::7] = -1e4
    values, told = jax.jit(fit_values, static_argnums=3)(values, flat(rows, shown, shown), jax.random.key(1), fit)
    error = np.abs(np.asarray(value_of(values, jnp.asarray(rows.obs))) - truth)[rows.valid].mean(0)
    assert error[0] < 30.0 and error[1] < 4e-3 and 0 <= told["value_loss"] < 0.05
    assert member_values(values, jnp.asarray(rows.obs)).shape == (2, 300, 2, 2)


def test_huber_minds_outliers_less_and_a_clip_holds_values_near_what_they_were():
    rows = lived(length=300)
    rows.valid[:] = True
    shown = np.stack([rows.obs[..., 0], rows.obs[..., 1]], -1)
    shown[::10] = 20.0
    learned = {}
    for name, own in {"mse": {}, "huber": {"loss": "huber"}, "clip": {"clip": 0.01}}.items():
        fit = ValueFit(hidden=(32,), rate=3e-3, passes=20, batch=64, **own)
        first = no_values(jax.random.key(0), 3, 1, fit)
        learned[name] = jax.jit(fit_values, static_argnums=3)(first, flat(rows, shown, shown), jax.random.key(1), fit)[
            0
        ]
    told = {name: np.asarray(value_of(values, jnp.asarray(rows.obs))) for name, values in learned.items()}
    error = {name: np.abs(told[name] - shown)[1::10].mean() for name in told}
    assert error["huber"] < 0.7 * error["mse"], error
    assert np.ptp(told["clip"]) < 0.5 * np.ptp(told["mse"]), "it stays nearer to where it began"


def test_real_and_imagined_steps_weigh_the_same_and_may_be_scaled_together():
    def part(rows, center):
        advantage = jnp.linspace(-1.0, 1.0, rows) + center
        zeros = jnp.zeros((rows, 1))
        return Experience(zeros, zeros, zeros, zeros[:, 0], advantage, zeros, zeros, jnp.full(rows, 1 / rows))

    apart, joint = (joined(part(4, 0.0), part(12, 3.0), together, 20) for together in (False, True))
    assert np.allclose(apart.weight[:16], 1 / 16) and not apart.weight[16:].any()
    assert (joined(part(4, 0.0), part(12, 3.0), False, 10).weight == 0.1).all()
    assert np.isclose(apart.weight @ apart.advantage, 3.0 * 12 / 16)
    assert np.isclose(joint.weight @ joint.advantage, 0.0, atol=1e-5)
    assert np.isclose(joint.weight @ joint.advantage**2, 1.0, atol=1e-4)


@pytest.mark.parametrize(
    ("field", "value"), [("members", 0), ("rate", 0.0), ("batch", -1), ("hidden", ()), ("huber", 0.0), ("clip", -1.0)]
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} = .*; allowed"):
        ValueFit(**{field: value})
