"""The limit that follows what episodes cost."""

import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import CostLimit
from bridle.parts.constraints.calibrated import Measured, critic_limit, follow, unmeasured

LIMIT = CostLimit((10.0, 4.0))


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
