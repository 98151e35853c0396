"""The cost limit: units, schedules, errors."""

import numpy as np
import pytest

from bridle.core.types import CostLimit


@pytest.mark.parametrize(
    ("limit", "horizon", "discount", "unit", "in_critic"),
    [
        (20.0, 300, 0.99, "horizon", 6.340),  # Circle of Liu et al. 2022
        (10.0, 400, 0.99, "horizon", 2.455),  # Button
        (10.0, 300, 0.97, "horizon", 1.111),  # CarCircle of FSRL
        (10.0, 300, 0.97, "infinite", 10 / 300 / 0.03),
    ],
)
def test_an_episodes_limit_in_the_critics_unit_is_the_published_one(limit, horizon, discount, unit, in_critic):
    assert CostLimit((limit,)).discounted(0, discount, horizon, unit)[0] == pytest.approx(in_critic, abs=6e-4)


def test_the_unit_horizon_is_what_an_even_cost_sums_to():
    horizon, discount, limit = 37, 0.9, 4.0
    by_hand = sum(limit / horizon * discount**t for t in range(horizon))
    assert CostLimit((limit,)).discounted(0, discount, horizon, "horizon")[0] == pytest.approx(by_hand, rel=1e-6)


def test_the_calibrated_unit_moves_the_critics_own_value_by_what_episodes_leave_of_the_limit():
    limit = CostLimit((10.0, 5.0))
    in_critic, in_episodes = np.array([0.7, 0.2]), np.array([10.0, 8.0])  # the first at its limit, the second above
    calibrated = limit.discounted(0, 0.97, 300, "calibrated", (in_critic, in_episodes))
    np.testing.assert_allclose(calibrated, [0.7, 0.2 - 3.0 / 300 / 0.03], rtol=1e-5)


def test_the_calibrated_unit_is_the_infinite_one_before_anything_is_measured():
    limit = CostLimit((10.0, 5.0))
    np.testing.assert_array_equal(*(limit.discounted(0, 0.97, 300, unit) for unit in ("calibrated", "infinite")))


@pytest.mark.parametrize("schedule", ["linear", "exponential"])
def test_a_schedule_starts_where_it_says_falls_all_the_way_and_stays_at_the_limit(schedule):
    limit = CostLimit((10.0, 1.0), start=(50.0, 1.0), schedule=schedule, steps=1000)
    path = np.stack([limit.at(step) for step in range(0, 1400, 50)])
    np.testing.assert_allclose(path[0], (50.0, 1.0))
    assert (np.diff(path[:21, 0]) < 0).all() and (path[20:, 0] == 10.0).all() and (path[:, 1] == 1.0).all()


def test_the_schedules_are_the_published_ones_halfway():
    half = {
        name: float(CostLimit((10.0,), start=(50.0,), schedule=name, steps=1000).at(500)[0])
        for name in ("linear", "exponential", "constant")
    }
    assert half["linear"] == pytest.approx(30.0) and half["constant"] == 10.0
    assert half["exponential"] == pytest.approx(10 + 40 * np.exp(-2.5), rel=1e-5)


def test_the_schedule_reaches_the_critics_unit():
    limit = CostLimit((10.0,), start=(20.0,), schedule="linear", steps=100)
    assert limit.discounted(0, 0.9, 50, "horizon")[0] == pytest.approx(2 * limit.discounted(100, 0.9, 50, "horizon")[0])


def test_an_unknown_unit_is_refused_with_those_allowed():
    with pytest.raises(ValueError, match="unit = 'episodes'; allowed: horizon, infinite, calibrated"):
        CostLimit((1.0,)).discounted(0, 0.9, 10, "episodes")


def test_a_world_without_horizon_is_refused_with_the_way_to_mend_it():
    with pytest.raises(ValueError, match="pass --horizon T"):
        CostLimit((1.0,)).discounted(0, 0.9, None)
