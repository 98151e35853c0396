"""Statistics of few runs against rliable's numbers, SciPy and brute force.

The golden values were made once with rliable 1.2.0 (arch 7.2.0, pandas 2.3.3, SciPy 1.17.1) in an environment of its
own, with X, Y [runs tasks] as below:

    pip install rliable==1.2.0 'pandas<3'
    from rliable import library, metrics
    iqm = lambda s: np.array([metrics.aggregate_iqm(s)])
    library.get_interval_estimates({"x": X}, iqm, reps=50000, random_state=np.random.RandomState(0))
    better = lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
    library.get_interval_estimates({"xy": (X, Y)}, better, reps=50000, random_state=np.random.RandomState(0))
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bridle.maths.statistics import bootstrapped, improvement, iqm, student

X = np.array([
    [1.0, 1.65, 2.86], [0.55, 1.27, 2.5], [1.03, 2.17, 2.75], [0.69, 1.74, 3.18], [1.05, 1.03, 2.99],
    [1.35, 0.83, 2.77], [0.05, 0.86, 2.08],
])  # fmt: skip
Y = np.array([[1.0, 0.41, 2.99], [0.91, 1.17, 1.04], [0.42, 1.27, 2.88], [-0.27, 0.97, 2.12], [0.23, 2.04, 2.23]])
runs = st.lists(st.floats(-100, 100), min_size=1, max_size=30).map(np.array)


def test_the_interquartile_mean_is_that_of_rliable():
    np.testing.assert_allclose(iqm(X.ravel()), 1.5336363636363637)
    np.testing.assert_allclose(iqm(X.T), [0.864, 1.31, 2.774])
    np.testing.assert_allclose(iqm(Y.T), [0.52, 1.1366666666666665, 2.41])


@given(runs)
def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end(x):
    np.testing.assert_allclose(iqm(x), stats.trim_mean(x, 0.25), atol=1e-9)


def test_the_stratified_interval_is_that_of_rliable():
    """Two bootstraps differ by their random numbers: by about 0.01 here."""
    np.testing.assert_allclose(bootstrapped(list(X.T)), (1.5336363636, 1.31, 1.77184091), atol=0.015)
    np.testing.assert_allclose(bootstrapped(list(Y.T)), (1.2155555556, 0.87, 1.56), atol=0.015)


def test_the_probability_of_improvement_and_its_interval_are_those_of_rliable():
    np.testing.assert_allclose(improvement(list(X.T), list(Y.T)), (0.6619047619, 0.47142857, 0.83809524), atol=0.015)
    assert improvement(list(X.T), list(Y.T)).value == pytest.approx(0.6619047619047619, abs=1e-12)


def test_every_bootstrap_sample_of_a_small_stratum_is_counted():
    """All 27 samples of three runs, listed, give the interval that random ones come to."""
    x = np.array([1.0, 2.0, 10.0])
    means = [np.mean(sample) for sample in itertools.product(x, repeat=3)]
    found = bootstrapped([x], lambda s: s.mean(-1), draws=200_000)
    np.testing.assert_allclose(found[1:], np.percentile(means, [2.5, 97.5], method="inverted_cdf"), atol=1e-9)


def test_a_stratum_never_falls_out_of_a_sample():
    """Runs differ between tasks only: whatever is drawn, the mean stays."""
    found = bootstrapped([np.zeros(3), np.full(3, 9.0)], lambda s: s.mean(-1))
    assert found == (4.5, 4.5, 4.5)


@settings(deadline=None)
@given(runs, runs)
def test_the_probability_of_improvement_is_mann_and_whitneys(x, y):
    expected = stats.mannwhitneyu(x, y).statistic / (len(x) * len(y))
    assert improvement([x], [y], draws=10).value == pytest.approx(expected)
    assert improvement([y], [x], draws=10).value == pytest.approx(1 - expected)


def test_tasks_weigh_alike_in_an_improvement_however_many_runs_they_have():
    assert improvement([np.ones(9), np.zeros(3)], [np.zeros(9), np.ones(3)]).value == 0.5


def test_students_interval_is_that_of_scipy():
    found = student(X[:, 0])
    np.testing.assert_allclose(found[1:], stats.t.interval(0.95, 6, X[:, 0].mean(), stats.sem(X[:, 0])))


def test_two_runs_have_no_interval():
    two = X[:2, 0]
    for found in (student(two), bootstrapped([two]), improvement([two], [Y[:, 0]])):
        assert np.isfinite(found.value)
        assert np.isnan(found[1:]).all()


def test_the_same_runs_give_the_same_interval():
    assert bootstrapped(list(X.T)) == bootstrapped(list(X.T))
    assert bootstrapped(list(X.T), seed=1) != bootstrapped(list(X.T))
