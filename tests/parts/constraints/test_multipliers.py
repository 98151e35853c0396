"""Multipliers by dual ascent and by PID control, against step-by-step oracles."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.parts.constraints.lagrange import Lagrange
from bridle.parts.constraints.multiplier import price
from bridle.parts.constraints.pid import PID

LIMIT = np.array([10.0, 0.0], np.float32)
COSTS = np.random.default_rng(0).uniform(0, 40, (60, 2)).astype(np.float32)
COSTS[30:] /= 8.0


def run(rule, costs=COSTS, limit=LIMIT):
    """The multipliers [T C] after each measure of cost."""

    def one(state, cost):
        state = rule.update(state, cost, jnp.asarray(limit))
        return state, rule.weight(state)

    return np.asarray(jax.jit(lambda costs: jax.lax.scan(one, rule.init(len(limit)), costs))(jnp.asarray(costs))[1])


@pytest.mark.parametrize("relative", [True, False])
def test_projected_ascent_adds_the_excess_and_stays_between_0_and_the_cap(relative):
    found = run(Lagrange(rate=0.05, decay=0.0, initial=0.2, cap=4.0, relative=relative))
    value, expected = np.full(2, 0.2), []
    for cost in COSTS:
        excess = np.clip((cost - LIMIT) / np.maximum(LIMIT, 1.0), -1, 1) if relative else cost - LIMIT
        value = np.clip(value + 0.05 * excess, 0.0, 4.0)
        expected.append(value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_ascent_of_the_share_is_that_of_the_share_and_comes_down_from_the_cap_as_fast_as_it_rose():
    found = run(Lagrange(rule="share", rate=0.02, decay=0.0, initial=1.0, cap=4.0, bound=3.0))
    share, expected = np.full(2, 0.5), []
    for cost in COSTS:
        excess = np.clip((cost - LIMIT) / np.maximum(LIMIT, 1.0), -1, 3)
        share = np.clip(share + 0.02 * excess, 0.0, 0.8)
        expected.append(share / (1 - share))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert np.max(found) == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("rule", ["projected", "share", "log"])
def test_the_step_size_falls_as_it_is_told(rule):
    settings, costs = {"rule": rule, "rate": 0.02, "initial": 1.0, "bound": 0.5}, np.full((40, 1), 60.0, np.float32)
    scale = {"projected": lambda x: x, "share": lambda x: x / (1 + x), "log": np.log}[rule]
    even, falling = (
        np.diff(scale(np.concatenate([[1.0], run(Lagrange(**settings, decay=decay), costs, LIMIT[:1])[:, 0]])))
        for decay in (0.0, 0.1)
    )
    np.testing.assert_allclose(falling, even / (1 + 0.1 * np.arange(40)), rtol=1e-2)


def test_the_bound_of_a_relative_excess_says_how_much_dear_episodes_count():
    swings = np.array([[60.0], *[[0.0]] * 5], np.float32)
    for rule in (Lagrange(rate=0.1, decay=0.0, initial=2.0), PID(kp=0.0, kd=0.0, ki=0.1)):
        low, high = (run(dataclasses.replace(rule, bound=bound), swings, LIMIT[:1])[:, 0] for bound in (1.0, 5.0))
        assert low[0] - getattr(rule, "initial", 0.0) == pytest.approx(0.1, rel=1e-4)
        assert high[0] - getattr(rule, "initial", 0.0) == pytest.approx(0.5, rel=1e-4)
        assert high[-1] == pytest.approx(getattr(rule, "initial", 0.0), abs=1e-5), "their mean is the limit"


def test_ascent_in_the_logarithm_is_positive_and_goes_the_same_way_whatever_the_scale():
    found = run(Lagrange(rule="log", rate=0.1, initial=0.5))
    assert (found > 0).all()
    assert found[29, 0] > 2.0 * 0.5 and found[-1, 0] < 0.6 * found[29, 0], "up while cost exceeds the limit, down after"
    scaled = run(Lagrange(rule="log", rate=0.1, initial=0.5), 100 * COSTS, np.array([1000.0, 100.0], np.float32))
    np.testing.assert_allclose(scaled[:, 0], found[:, 0], rtol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        {"smoothing": 0.0, "slowness": 0.0, "relative": False, "kp": 0.05, "ki": 0.0005, "kd": 0.1},  # FSRL's gains
        {"smoothing": 0.9, "slowness": 0.5},
        {"signed": True, "cap": 1.5},
    ],
)
def test_pid_is_the_sum_of_its_three_terms(settings):
    rule = PID(**settings)
    integral = smooth = slow = None
    for t, (cost, found) in enumerate(zip(COSTS, run(rule), strict=True)):
        excess = np.clip((cost - LIMIT) / np.maximum(LIMIT, 1.0), -1, 1) if rule.relative else cost - LIMIT
        if t == 0:
            integral, smooth, slow, rise = np.zeros(2), excess, excess, np.zeros(2)
        else:
            smooth = rule.smoothing * smooth + (1 - rule.smoothing) * excess
            new = rule.slowness * slow + (1 - rule.slowness) * excess
            rise, slow = np.maximum(new - slow, 0), new
        integral = np.clip(integral + excess, 0, rule.cap / rule.ki)
        proportional = smooth if rule.signed else np.maximum(smooth, 0)
        weight = np.clip(rule.kp * proportional + rule.ki * integral + rule.kd * rise, 0, rule.cap)
        np.testing.assert_allclose(found, weight, rtol=1e-4, atol=1e-5)


def test_a_bounded_integral_lets_go_at_once_where_an_unbounded_one_would_not():
    long = np.concatenate([np.full((500, 1), 100.0), np.zeros((30, 1))]).astype(np.float32)
    rule = PID(kp=0.0, kd=0.0, ki=0.1, cap=5.0)
    found = run(rule, long, np.array([10.0], np.float32))
    assert found[499, 0] == pytest.approx(5.0) and found[-1, 0] < 2.1


@pytest.mark.parametrize("rescale", [True, False])
def test_a_price_is_gain_minus_weighted_cost(rescale):
    gain, cost, weight = jnp.arange(4.0), jnp.ones((4, 2)), jnp.array([1.0, 3.0])
    expected = (np.arange(4.0) - 4.0) / (5.0 if rescale else 1.0)
    np.testing.assert_allclose(price(gain, cost, weight, rescale), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (Lagrange, {"rate": 0.0}, "rate = 0.0; allowed: a number > 0"),
        (Lagrange, {"initial": 200.0}, r"initial = 200.0; allowed: a number in \[0, cap\]"),
        (PID, {"kp": -1.0}, "kp = -1.0; allowed: a number >= 0"),
        (PID, {"smoothing": 1.0}, "smoothing = 1.0; allowed"),
    ],
)
def test_impossible_settings_are_refused(kind, settings, said):
    with pytest.raises(ValueError, match=said):
        kind(**settings)
