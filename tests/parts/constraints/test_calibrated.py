"""The limit that follows what episodes cost."""

import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import CostLimit, Transition
from bridle.parts.constraints.calibrated import Measured, critic_limit, episode_cost, follow, unmeasured

LIMIT = CostLimit((10.0, 4.0))


def rows(cost, truncated=None, terminated=None, valid=None):
    cost = np.asarray(cost, np.float32)
    none = np.zeros(cost.shape[:2], bool)
    told = [none if x is None else np.asarray(x) for x in (terminated, truncated)]
    return Transition(None, None, None, cost, None, *told, ~none if valid is None else np.asarray(valid), {})


def test_an_episode_costs_what_a_horizon_of_steps_costs_wherever_it_was_begun():
    rng = np.random.default_rng(0)
    cost = rng.random((20, 3, 2))
    ends = np.zeros((20, 3), bool)
    ends[[4, 9, 19], [0, 1, 2]] = True
    np.testing.assert_allclose(episode_cost(rows(cost, ends), 20), cost.sum((0, 1)) / 3, rtol=1e-5)


def test_episodes_that_end_early_are_counted_as_they_end_and_dummy_steps_not_at_all():
    cost, ends, valid = np.ones((20, 1, 1)), np.zeros((20, 1), bool), np.ones((20, 1), bool)
    ends[4::5] = True
    assert float(episode_cost(rows(cost, terminated=ends), 20)[0]) == pytest.approx(5.0)
    valid[:10] = False
    assert float(episode_cost(rows(cost, terminated=ends & valid, valid=valid), 20)[0]) == pytest.approx(5.0)


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.2])
def test_the_mean_of_the_critic_stays_inside_what_it_saw_whatever_the_rate(rate):
    measured, rng = unmeasured(LIMIT), np.random.default_rng(0)
    for update in range(1, 60):
        measured = follow(measured, jnp.asarray(rng.random(2), jnp.float32), rate, update)
        assert np.all((measured.cost_q >= 0) & (measured.cost_q <= 1))


def test_a_policy_that_costs_what_training_aims_at_may_stay_as_it_is():
    discount, horizon, aim = 0.98, 50, 0.5
    now = Measured(jnp.array([5.0, 2.0]), jnp.array([3.0, 1.0]))
    told = lambda measured, gain=0.05: critic_limit(measured, now.cost_q, 0, discount, horizon, LIMIT, gain, aim)
    np.testing.assert_allclose(told(now), now.cost_q, rtol=1e-5)
    dear = now._replace(episode_cost=jnp.array([30.0, 30.0]))
    assert np.all(told(dear) < now.cost_q), "one that costs more must come down"
    whole = (5.0 - 30.0) / horizon / (1 - discount)
    assert float(told(dear, gain=1.0)[0]) == pytest.approx(3.0 + whole, rel=1e-4), (
        "by the whole gap, in the critic's unit"
    )
