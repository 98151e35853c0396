"""Fisher products against Hessians, conjugate gradients against a dense solve, and a line search that restores to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from bridle.maths import gaussian
from bridle.maths.natural_gradient import conjugate_gradient, fisher_product, line_search
from bridle.parts.policies import PlainActor


@pytest.mark.parametrize("way", ["old || new", "new || old"])
def test_a_fisher_product_is_the_hessian_of_the_mean_divergence_either_way_round(way):
    actor = PlainActor(jax.random.key(0), 3, 2, (5,), 0.6)
    flat, unravel = ravel_pytree(actor)
    flat = flat + 0.3 * jax.random.normal(jax.random.key(3), flat.shape)
    obs = jax.random.normal(jax.random.key(1), (7, 3))
    weight = jnp.asarray([1, 1, 0, 2, 1, 1, 1]) / 7.0
    here = unravel(flat)(obs)

    def divergence(moved):
        new = unravel(moved)(obs)
        return weight @ (gaussian.kl(here, new) if way == "old || new" else gaussian.kl(new, here))

    hessian = jax.hessian(divergence)(flat)
    product = fisher_product(lambda flat: unravel(flat)(obs), flat, weight, 0.1)
    v = jax.random.normal(jax.random.key(2), flat.shape)
    np.testing.assert_allclose(product(v), hessian @ v + 0.1 * v, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_conjugate_gradients_solve_a_system_whatever_its_scale(scale):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    h, b = (root @ root.T + np.eye(6)).astype(np.float32), (scale * rng.normal(size=6)).astype(np.float32)
    x = conjugate_gradient(lambda v: h @ v, jnp.asarray(b), 20, tolerance=1e-14)
    np.testing.assert_allclose(x, np.linalg.solve(h.astype(float), b), rtol=1e-3, atol=1e-4 * scale)


def test_conjugate_gradients_stay_finite_once_solved_and_without_anything_to_solve():
    same = lambda v: v
    assert np.isfinite(conjugate_gradient(same, jnp.ones(4), 50)).all()
    np.testing.assert_allclose(conjugate_gradient(same, jnp.ones(4), 50), np.ones(4), rtol=1e-6)
    assert (conjugate_gradient(same, jnp.zeros(4), 10) == 0).all()


def test_a_line_search_takes_the_longest_step_that_is_accepted_and_else_restores():
    origin, step = jnp.asarray([1.0, 2.0]), jnp.asarray([4.0, 0.0])
    found = jax.jit(lambda: line_search(origin, step, lambda x: x[0] <= 2.5, 10, 0.5))()
    assert found.parameters[0] == 2.0 and found.fraction == 0.25 and found.tries == 3
    none = jax.jit(lambda: line_search(origin, step, lambda x: x[0] < 0.0, 10, 0.5))()
    assert (none.parameters == origin).all() and none.fraction == 0.0 and none.tries == 10
    broken = line_search(origin, step * jnp.nan, lambda x: x[0] <= 2.5, 5, 0.5)
    assert (broken.parameters == origin).all(), "what is not a number is never accepted"
