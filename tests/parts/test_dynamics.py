"""Dynamics: what is learned, what is never trained on, when a fit ends, how far members agree."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Rules, Transition
from bridle.parts.dynamics.doubt import normalised_variance, pairwise_kl
from bridle.parts.dynamics.fit import apart as parts_of
from bridle.parts.dynamics.fit import coprime, fit, judged_by, multiples, tabled
from bridle.parts.dynamics.lived import as_step, by_elites
from bridle.parts.dynamics.model import Dynamics, Prediction, bounded, held_out, init, inputs_of, predict, scale_of

O, A, R = 3, 2, 3_000
SMALL = {"members": 3, "elites": 2, "hidden": (32, 32), "decay": (0.0,), "max_epochs": 30}
quick = jax.jit(fit, static_argnums=5)


def world(size=R, noise=0.0, seed=0):
    """A linear system whose cost and end are told by signs."""
    rng = np.random.default_rng(seed)
    obs, action = rng.normal(size=(size, O)), rng.uniform(-1, 1, (size, A))
    a, b = 0.3 * rng.normal(size=(O, O)), rng.normal(size=(A, O))
    delta = obs @ a + action @ b + noise * rng.normal(size=(size, O))
    cost, end, none = obs[:, :1] > 0.5, obs[:, 1] > 1.0, np.zeros(size, np.bool_)
    f = lambda x: jnp.asarray(x, jnp.float32)
    return Transition(
        f(obs),
        f(action),
        f(obs[:, 0]),
        f(cost),
        f(obs + delta),
        jnp.asarray(end),
        jnp.asarray(none),
        jnp.asarray(~none),
        {},
    )


def fitted(config, rows=None, key=1, **changed):
    rows = rows or world()
    size = rows.reward.shape[0]
    valid = changed.get("valid", jnp.ones(size, jnp.bool_))
    held = changed.get("held", held_out(valid, config))
    state = changed.get("state") or init(jax.random.key(0), O, A, 1, config)
    return quick(state, rows, valid, held, jax.random.key(key), config)


@pytest.fixture(scope="module")
def known():
    """An ensemble that knows the linear system, with its rows."""
    config = Dynamics(**{**SMALL, "max_epochs": 80}, loss="mse", learn_cost="binary", learn_termination=True)
    rows = world()
    state, metrics = fitted(config, rows)
    return config, rows, state, metrics


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_a_linear_system_is_learned_with_its_cost_and_its_ends(known):
    config, rows, state, metrics = known
    found = predict(state, rows.obs, rows.action, 1, config)
    wanted = rows.next_obs - rows.obs
    assert float(((found.delta - wanted) ** 2).mean()) < 0.01 * float(wanted.var())
    assert float(((found.reward - rows.reward) ** 2).mean()) < 0.01
    assert float(((found.cost > 0.5) == rows.cost).mean()) > 0.97
    assert float(((found.terminated > 0.5) == rows.terminated).mean()) > 0.97
    assert found.delta.shape == (3, R, O) and found.cost.shape == (3, R, 1) and found.terminated.shape == (3, R)
    assert all(np.isfinite(float(x)) for x in metrics.values())
    assert metrics["rows"] == R - held_out(jnp.ones(R, jnp.bool_), config).sum()


def test_every_leaf_is_an_array_of_a_shape_that_a_fit_keeps(known):
    config, _, state, _ = known
    first = init(jax.random.key(0), O, A, 1, config)
    assert jax.tree.structure(first) == jax.tree.structure(state)
    for old, new in zip(jax.tree.leaves(first), jax.tree.leaves(state), strict=True):
        assert isinstance(new, jax.Array) and (old.shape, old.dtype) == (new.shape, new.dtype)


def test_a_fit_depends_on_its_key_alone():
    config = Dynamics(**{**SMALL, "max_epochs": 2})
    assert same(fitted(config)[0], fitted(config)[0])
    assert not same(fitted(config)[0], fitted(config, key=2)[0])


def test_elites_have_the_lowest_losses_and_those_are_of_the_weights_that_are_kept(known):
    config, rows, state, metrics = known
    np.testing.assert_array_equal(state.elites, np.argsort(state.holdout_loss)[:2])
    assert metrics["holdout_loss"] == pytest.approx(float(jnp.sort(state.holdout_loss)[:2].mean()))
    valid = jnp.ones(R, jnp.bool_)
    _, table = tabled(state, rows, valid, held_out(valid, config), jax.random.key(1), config)
    error, loss = judged_by(parts_of(state.params), table, config)
    np.testing.assert_allclose(loss, state.holdout_loss, rtol=1e-4)
    np.testing.assert_allclose(error, state.error, rtol=1e-4, atol=1e-7)


def test_the_best_weights_are_taken_back_when_training_leads_astray():
    good = Dynamics(**SMALL, loss="mse")
    state, _ = fitted(good)
    wild = Dynamics(**{**SMALL, "max_epochs": 3}, loss="mse", rate=1.0)
    after, metrics = fitted(wild, state=state)
    assert float(metrics["last_loss"]) > 2 * float(state.holdout_loss.max()), "it did lead astray"
    assert same(after.params, state.params)
    np.testing.assert_allclose(after.holdout_loss, state.holdout_loss, rtol=1e-4)


def test_rows_that_are_held_out_are_never_trained_on():
    config = Dynamics(**{**SMALL, "max_epochs": 4}, scale_out=True)
    rows, valid = world(), jnp.ones(R, jnp.bool_)
    held = held_out(valid, config)
    wrong = rows._replace(next_obs=jnp.where(held[:, None], -rows.next_obs, rows.next_obs))
    train = lambda rows: tabled(init(jax.random.key(0), O, A, 1, config), rows, valid, held, jax.random.key(1), config)
    (state, one), (other_state, other) = train(rows), train(wrong)
    assert same((state.inputs, state.outputs), (other_state.inputs, other_state.outputs))
    assert not np.asarray(held)[np.asarray(one.draws)].any() and same(one.draws, other.draws)
    ends = [fitted(config, x)[0].opt for x in (rows, wrong)]
    assert same(*ends), "the optimiser saw the same gradients"


def test_rows_that_are_not_filled_count_nowhere():
    config = Dynamics(**{**SMALL, "max_epochs": 2})
    rows, valid = world(), jnp.arange(R) < 1_000
    nonsense = jax.tree.map(lambda x: x.at[1_000:].set(True) if x.dtype == bool else x.at[1_000:].set(jnp.nan), rows)
    one, metrics = fitted(config, rows, valid=valid)
    other, _ = fitted(config, nonsense, valid=valid)
    assert same(one, other) and float(metrics["rows"]) == 1_000 - held_out(valid, config).sum()
    np.testing.assert_allclose(one.inputs.mean[:O], rows.obs[(valid & ~held_out(valid, config))].mean(0), atol=1e-5)


def test_the_split_is_of_the_size_asked_for_and_no_trained_row_is_ever_held_out():
    config = Dynamics(holdout=0.2, max_holdout=100)
    trained = jnp.zeros(5_000, jnp.bool_)
    for filled in (200, 400, 2_000, 5_000):
        valid = jnp.arange(5_000) < filled
        held = held_out(valid, config)
        assert float(held.sum()) == pytest.approx(min(0.2 * filled, 100), rel=0.45)
        assert not (held & (trained | ~valid)).any()
        trained = trained | (valid & ~held)


def test_a_fit_ends_by_patience_by_epochs_or_by_updates():
    none = {**SMALL, "max_epochs": 0, "patience": 2, "rate": 1e-9}
    assert float(fitted(Dynamics(**none))[1]["epochs"]) == 2.0
    assert float(fitted(Dynamics(**{**SMALL, "max_epochs": 3}))[1]["epochs"]) == 3.0
    state, metrics = fitted(Dynamics(**SMALL, max_updates=13))
    assert float(metrics["updates"]) == 13.0 == float(state.updates)


def test_a_target_that_is_not_finite_shows_in_the_metrics_and_ends_the_fit():
    config, rows = Dynamics(**SMALL), world()
    held = held_out(rows.valid, config)
    bad = rows._replace(reward=rows.reward.at[jnp.argmin(held)].set(jnp.inf))
    state, metrics = fitted(config, bad)
    assert not np.isfinite(float(metrics["last_loss"])) and float(metrics["epochs"]) <= 1
    assert all(bool(jnp.isfinite(w).all()) for w in state.params.members.weights)


@pytest.mark.parametrize("count", [1, 7, 256, 1_000, 4_096])
def test_a_pass_visits_every_row_of_a_draw_once(count):
    stride = coprime(jax.random.key(count), 4, count)[:, None]
    offsets, leap = multiples(stride, 10, count)
    np.testing.assert_array_equal(offsets, np.asarray(stride) * np.arange(10) % count)
    np.testing.assert_array_equal(leap, np.asarray(stride) * 10 % count)
    for s in np.asarray(stride)[:, 0]:
        assert len({int(s) * i % count for i in range(count)}) == count


def test_strides_do_not_overflow():
    count = 1_900_000_000 // 2
    found, leap = multiples(jnp.array([[count - 3]]), 256, count)
    np.testing.assert_array_equal(found[0], [(count - 3) * i % count for i in range(256)])
    assert int(leap[0, 0]) == (count - 3) * 256 % count


def test_likelihood_learns_where_the_world_is_noisy_and_cmbpos_loss_does_not():
    """Finding 3 of what we know of CMBPO: its variances stay near 1."""
    rng = np.random.default_rng(7)
    rows = world(4_000)
    scale = jnp.where(rows.obs[:, :1] > 0, 0.5, 0.05)
    rows = rows._replace(next_obs=rows.next_obs + scale * jnp.asarray(rng.normal(size=(4_000, O)), jnp.float32))
    std = {}
    for loss in ("nll", "mspe"):
        config = Dynamics(**{**SMALL, "max_epochs": 60, "patience": 60}, loss=loss, scale_out=loss == "mspe")
        state, _ = fitted(config, rows)
        _, unit = scale_of(state.outputs, config.scale_out)
        found = predict(state, rows.obs, rows.action, 1, config).delta_std / unit[:O]
        std[loss] = [float(found[:, where].mean()) for where in (rows.obs[:, 0] > 0.3, rows.obs[:, 0] < -0.3)]
    loud, calm = std["nll"]
    assert loud == pytest.approx(0.5, rel=0.35) and calm < 0.2, std
    assert all(0.75 < each < 1.25 for each in std["mspe"]), std


def test_variances_are_bounded_as_by_two_softplus_and_so_are_their_gradients():
    params = init(jax.random.key(0), O, A, 1, Dynamics(**SMALL)).params._replace(
        high=jnp.array([0.5, -1.0]), low=jnp.array([-10.0, -3.0])
    )

    def slow(log_var, params):
        log_var = params.high - jax.nn.softplus(params.high - log_var)
        return jnp.exp(params.low + jax.nn.softplus(log_var - params.low))

    of = lambda f: jax.value_and_grad(lambda x, p: jnp.log(f(x, p)).sum(), (0, 1))
    log_var = jnp.linspace(-30, 30, 42).reshape(21, 2)
    (one, (slope, of_bounds)), (other, (wanted, of_others)) = of(bounded)(log_var, params), of(slow)(log_var, params)
    np.testing.assert_allclose(one, other, rtol=1e-4)
    np.testing.assert_allclose(slope, wanted, atol=1e-4)
    np.testing.assert_allclose(of_bounds.high, of_others.high, rtol=1e-3)
    np.testing.assert_allclose(of_bounds.low, of_others.low, rtol=1e-3)
    assert jnp.isfinite(of(bounded)(jnp.array([[-1e30, 1e30]]), params)[1][0]).all()


def test_members_without_variances_tell_those_that_hold_out_rows_show():
    config = Dynamics(**SMALL, loss="mse")
    rows = world(noise=0.3)
    state, _ = fitted(config, rows)
    found = predict(state, rows.obs[:4], rows.action[:4], 1, config)
    assert np.allclose(found.delta_std, 0.3, rtol=0.25)


@pytest.mark.parametrize("loss", ["nll", "mspe", "mse", "huber"])
def test_every_loss_falls(loss):
    config = Dynamics(**{**SMALL, "max_epochs": 10}, loss=loss, learn_cost="real", scale_out=True)
    state, metrics = fitted(config)
    assert float(metrics["holdout_loss"]) < 0.5 and state.error.shape == (3, O + 2)
    assert float(predict(state, *world()[:2], 1, config).cost.min()) >= 0.0


def guess(members=5, size=4, equal=False, seed=0):
    rng = np.random.default_rng(seed)
    f = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
    std = jnp.exp(0.5 * f(1 if equal else members, 1 if equal else size, O)) * jnp.ones((members, size, O))
    flat = jnp.zeros((members, size))
    cost = flat[..., None]
    return Prediction(100.0 + f(members, size, O), std, flat, flat + 1, cost, cost, flat)


def slow_kl(p):
    """Every ordered pair, one after another: [B O]."""
    mean, std = np.asarray(p.delta, np.float64), np.asarray(p.delta_std, np.float64)
    k, total = len(mean), 0.0
    for i in range(k):
        for j in range(k):
            if i != j:
                apart = (std[i] ** 2 + (mean[i] - mean[j]) ** 2) / (2 * std[j] ** 2)
                total = total + np.log(std[j] / std[i]) + apart - 0.5
    return total / (k * (k - 1))


@pytest.mark.parametrize("members", [2, 3, 7])
def test_pairwise_kl_is_that_of_a_slow_loop(members):
    p = guess(members, seed=members)
    np.testing.assert_allclose(pairwise_kl(p), slow_kl(p).mean(-1), rtol=2e-3)
    np.testing.assert_allclose(pairwise_kl(p, "max"), slow_kl(p).max(-1), rtol=2e-3)


def test_with_equal_variances_the_kl_is_the_normalised_variance():
    p = guess(equal=True)
    np.testing.assert_allclose(pairwise_kl(p), normalised_variance(p), rtol=1e-3)
    alike = p._replace(delta=jnp.ones_like(p.delta))
    np.testing.assert_allclose(pairwise_kl(alike), 0.0, atol=1e-5)
    np.testing.assert_allclose(normalised_variance(alike), 0.0, atol=1e-6)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_row_is_answered_by_one_elite_and_every_elite_answers(known, size):
    config, rows, state, _ = known
    far = 3 * rows.obs[:size]  # where members differ
    every = predict(state, far, rows.action[:size], 1, config)
    found = by_elites(state, far, rows.action[:size], jax.random.key(3), 1, config)
    near = np.abs(np.asarray(every.delta)[np.asarray(state.elites)] - np.asarray(found.delta)).max(-1) < 1e-5
    assert near.any(0).all()
    assert size < 7 or near.any(1).all()


def test_a_step_means_what_the_elite_means_and_sampled_ones_scatter_as_it_says(known):
    config, rows, state, _ = known
    obs, action = jnp.repeat(rows.obs[:1], 4_000, 0), jnp.repeat(rows.action[:1], 4_000, 0)
    every = predict(state, obs[:1], action[:1], 1, config)
    still = as_step(state, 1, config, sample=False)(obs, action, jax.random.key(0))
    means = (obs[:1] + every.delta[state.elites, 0])[:, None]
    assert (jnp.abs(still.next_obs - means).max(-1).min(0) < 1e-5).all() and (still.doubt == 0).all()
    loose = as_step(state, 1, config, doubt=pairwise_kl)(obs, action, jax.random.key(0))
    off = loose.next_obs - obs - every.delta[state.elites, 0].mean(0)
    expected = jnp.sqrt((every.delta_std[state.elites, 0] ** 2).mean(0) + every.delta[state.elites, 0].var(0))
    np.testing.assert_allclose(off.std(0), expected, rtol=0.1)
    np.testing.assert_allclose(loose.doubt, pairwise_kl(every)[0], rtol=1e-3)
    assert set(np.unique(loose.cost)) <= {0.0, 1.0} and loose.terminated.dtype == bool


def test_rules_take_the_place_of_what_was_learned(known):
    config, rows, state, _ = known
    rules = Rules(
        reward=lambda obs, action, next_obs: action[:, 0],
        cost=lambda obs, action, next_obs: next_obs[:, :1],
        terminated=lambda obs, action, next_obs: next_obs[:, 0] > obs[:, 0],
    )
    found = as_step(state, 1, config, rules=rules)(rows.obs, rows.action, jax.random.key(0))
    np.testing.assert_array_equal(found.reward, rows.action[:, 0])
    np.testing.assert_array_equal(found.cost, found.next_obs[:, :1])
    np.testing.assert_array_equal(found.terminated, found.next_obs[:, 0] > rows.obs[:, 0])


def test_inputs_are_standardised_by_the_rows_of_training(known):
    config, rows, state, _ = known
    x = np.asarray(inputs_of(state, rows.obs, rows.action, config))
    np.testing.assert_allclose(x.mean(0), 0.0, atol=0.1)
    np.testing.assert_allclose(x.std(0), 1.0, rtol=0.1)
    constant = state.inputs._replace(mean=jnp.full(O + A, 1e3), second=jnp.full(O + A, 1e-9))
    np.testing.assert_array_equal(scale_of(constant, True)[1], 1.0)


def test_decays_are_spread_over_the_layers():
    of = partial(Dynamics, hidden=(8, 8, 8))
    assert of(decay=(1.0,)).decays == (1.0,) * 4
    assert of(decay=(1.0, 2.0, 3.0)).decays == (1.0, 2.0, 2.0, 3.0)
    assert Dynamics().decays == Dynamics().decay


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"elites": 8}, "elites = 8"), ({"hidden": (512, 512), "decay": (0.0, 0.0)}, "decay"), ({"rate": 0.0}, "rate"),
     ({"holdout": 1.0}, "holdout"), ({"hidden": (8, 8)}, "one for each layer")],
)  # fmt: skip
def test_a_wrong_setting_is_told(wrong, word):
    with pytest.raises(ValueError, match=word):
        Dynamics(**wrong)
