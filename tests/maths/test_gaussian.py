"""Gaussians against SciPy and closed forms in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError
from scipy.stats import multivariate_normal

from bridle.maths import gaussian
from bridle.maths.gaussian import Gaussian, squashed_log_prob

SIZES = [(1, 1.0), (2, 0.7), (6, 0.3), (17, 0.1)]
"""Actions and standard deviation; at 17 x 0.1 a determinant (1e-34) is far below any clamp."""


log_prob, kl_mean, kl_covariance = map(jax.jit, (gaussian.log_prob, gaussian.kl_mean, gaussian.kl_covariance))


def draw(size, std, full, seed=0, batch=3):
    """A batch of Gaussians and their means and covariances in float64."""
    random = np.random.default_rng(seed)
    mean = random.normal(size=(batch, size))
    spread = std * np.exp(random.uniform(-0.3, 0.3, (batch, size)))
    chol = np.zeros((batch, size, size))
    chol[:, np.arange(size), np.arange(size)] = spread
    if full:
        chol += np.tril(0.3 * std * random.normal(size=chol.shape) / np.sqrt(size), -1)
    dist = Gaussian(jnp.asarray(mean, jnp.float32), jnp.asarray(chol if full else spread, jnp.float32))
    return dist, mean, chol @ chol.swapaxes(-1, -2)


def kl(mean, cov, mean_to, cov_to):
    """KL(N(mean, cov) || N(mean_to, cov_to)), the textbook's form with determinants in float64."""
    inverse, apart = np.linalg.inv(cov_to), mean_to - mean
    log_det = np.linalg.slogdet(cov_to)[1] - np.linalg.slogdet(cov)[1]
    return 0.5 * (np.trace(inverse @ cov) + apart @ inverse @ apart - len(mean) + log_det)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("size", "std"), SIZES)
def test_log_prob_is_scipys(size, std, full):
    dist, mean, cov = draw(size, std, full)
    x = mean + std * np.random.default_rng(1).normal(size=(4, *mean.shape))
    ours = log_prob(dist, jnp.asarray(x, jnp.float32))
    theirs = np.stack(
        [multivariate_normal(m, c).logpdf(x[:, i]) for i, (m, c) in enumerate(zip(mean, cov, strict=True))], 1
    )
    np.testing.assert_allclose(ours, theirs.reshape(4, 3), rtol=2e-4, atol=1e-3)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("size", "std"), SIZES)
def test_the_decoupled_divergences_are_the_closed_forms(size, std, full):
    old, mean, cov = draw(size, std, full)
    new, mean_new, cov_new = draw(size, 0.8 * std, full, seed=5)
    near = mean + 0.3 * std * (mean_new - mean)
    of_mean = kl_mean(old, jnp.asarray(near, jnp.float32))
    of_covariance = kl_covariance(old, new.scale)
    each = range(len(mean))
    np.testing.assert_allclose(of_mean, [kl(near[i], cov[i], mean[i], cov[i]) for i in each], rtol=1e-3)
    np.testing.assert_allclose(of_covariance, [kl(mean[i], cov[i], mean[i], cov_new[i]) for i in each], rtol=2e-3)


@pytest.mark.parametrize("full", [False, True])
def test_the_covariance_divergence_still_pushes_back_at_seventeen_small_dimensions(full):
    """A clamped determinant would leave the logarithm without a gradient here."""
    old, _, _ = draw(17, 0.1, full)
    slope = jax.jit(jax.grad(lambda size: kl_covariance(old, size * old.scale).sum()))(1.5)
    # KL(s) = 1/2 (A / s^2 - A + 2 A log s) for each of the three, so dKL/ds = A (1 / s - 1 / s^3)
    assert slope == pytest.approx(3 * 17 * (1 / 1.5 - 1 / 1.5**3), rel=1e-3)


@pytest.mark.parametrize("full", [False, True])
def test_a_gaussian_is_no_distance_from_itself(full):
    dist, _, _ = draw(6, 0.3, full)
    np.testing.assert_allclose(kl_mean(dist, dist.mean), 0.0, atol=1e-6)
    np.testing.assert_allclose(kl_covariance(dist, dist.scale), 0.0, atol=1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_samples_have_the_moments_they_should(full):
    dist, mean, cov = draw(3, 0.5, full, batch=2)
    x = np.asarray(gaussian.sample(dist, jax.random.key(0), (40_000,)), np.float64)
    np.testing.assert_allclose(x.mean(0), mean, atol=0.015)
    for i in range(2):
        np.testing.assert_allclose(np.cov(x[:, i].T), cov[i], atol=0.01)


@pytest.mark.parametrize("full", [False, True])
def test_weighted_moments_are_the_direct_sums(full):
    random = np.random.default_rng(2)
    weight, x, about = random.dirichlet(np.ones(5), 3).T, random.normal(size=(5, 3, 4)), random.normal(size=(3, 4))
    mean, second = gaussian.weighted_moments(*(jnp.asarray(v, jnp.float32) for v in (weight, x, about)), full)
    for b in range(3):
        direct = sum(weight[k, b] * np.outer(x[k, b] - about[b], x[k, b] - about[b]) for k in range(5))
        np.testing.assert_allclose(mean[b], sum(weight[k, b] * x[k, b] for k in range(5)), atol=1e-5)
        np.testing.assert_allclose(second[b], direct if full else np.diag(direct), atol=1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_the_fit_by_moments_has_the_gradient_of_the_weighted_log_likelihood(full):
    """Decoupled, as in the M-step: the new mean under the old covariance, the new covariance about the old mean."""
    old, _, _ = draw(4, 0.5, full)
    new, _, _ = draw(4, 0.6, full, seed=3)
    x = gaussian.sample(old, jax.random.key(1), (8,))
    weight = jax.nn.softmax(jax.random.normal(jax.random.key(2), (8, 3)), 0)
    mean, second = gaussian.weighted_moments(weight, x, old.mean, full)

    def by_moments(new_mean, new_scale):
        return (
            gaussian.mean_energy(mean - new_mean, old.scale, full) + gaussian.trace_energy(second, new_scale, full)
        ).mean()

    def by_samples(new_mean, new_scale):
        moved, reshaped = Gaussian(new_mean, old.scale), Gaussian(old.mean, new_scale)
        return -(weight * (gaussian.log_prob(moved, x) + gaussian.log_prob(reshaped, x))).sum(0).mean()

    ours, plain = (jax.jit(jax.grad(f, (0, 1)))(*new) for f in (by_moments, by_samples))
    np.testing.assert_allclose(ours[0], plain[0], rtol=1e-3, atol=1e-4)
    lower = np.tril(np.ones((4, 4))) if full else 1.0  # what lies above the diagonal is no parameter
    np.testing.assert_allclose(ours[1] * lower, plain[1] * lower, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_triangular_systems_are_solved_written_out_and_by_the_library(size):
    dist, _, _ = draw(size, 0.5, True)
    b = jax.random.normal(jax.random.key(0), (3, size))
    np.testing.assert_allclose(jnp.einsum("bij,bj->bi", dist.scale, gaussian.solve_lower(dist.scale, b)), b, atol=1e-4)


def test_a_wrong_shape_is_caught_where_it_enters():
    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        gaussian.weighted_moments(jnp.ones((5, 3)), jnp.ones((5, 3, 2)), jnp.ones((4, 2)), False)


def test_the_density_of_a_squashed_sample_is_that_of_the_change_of_variables():
    dist = Gaussian(jnp.array([0.3]), jnp.array([0.8]))
    x = np.linspace(-7, 7, 200_001)
    density = np.exp(np.asarray(squashed_log_prob(dist, jnp.asarray(x[:, None], jnp.float32))))
    action = np.tanh(x)
    assert np.trapezoid(density, action) == pytest.approx(1.0, rel=2e-3)
    far = squashed_log_prob(dist, jnp.array([30.0]))
    assert np.isfinite(far) and far < -300


def test_divergence_and_entropy_of_diagonal_gaussians_are_those_of_samples():
    one = gaussian.Gaussian(jnp.asarray([0.3, -0.2]), jnp.asarray([0.5, 1.2]))
    two = gaussian.Gaussian(jnp.asarray([0.0, 0.1]), jnp.asarray([0.7, 0.9]))
    x = gaussian.sample(one, jax.random.key(0), (400_000,))
    np.testing.assert_allclose(
        gaussian.kl(one, two), (gaussian.log_prob(one, x) - gaussian.log_prob(two, x)).mean(), atol=5e-3
    )
    np.testing.assert_allclose(gaussian.entropy(one), -gaussian.log_prob(one, x).mean(), atol=5e-3)
    assert gaussian.kl(one, one) == 0.0
