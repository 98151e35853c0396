"""CVPO on toy worlds whose optimum a linear program tells, and what its config refuses."""

import numpy as np
import pytest

from bridle.algorithms.cvpo import Config
from bridle.core.types import CostLimit
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run.collect import Collector
from bridle.run.evaluate import Evaluator
from bridle.run.train import Duty, begin, train

SMALL = Config(
    discount=0.9,
    hidden=(32, 32),
    batch=64,
    every=160,
    times=16,
    memory=20_000,
    warmup=1_000,
    actor_rate=1e-3,
    aim=0.95,
)


def learn(world_name, limit, steps, seed=0, config=SMALL):
    """Mean return and cost [C] of the last evaluations of the policy's mean, and the optimum."""
    world, trial = make(world_name, 16), make(world_name, 100)
    algorithm = config.build(world.spec, CostLimit(limit))
    collector = Collector(world, algorithm, seed)
    progress = begin(algorithm, seed)
    ring = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    evaluator, found = Evaluator(trial, algorithm, seed + 1), []
    watch = Duty(steps // 20, lambda progress: found.append(evaluator.play(progress.actor, 200, progress.step)))
    train(algorithm, collector, ring, steps, seed, progress, [watch])
    last = found[-5:]
    returns, cost = np.mean([e.returns.mean() for e in last]), np.mean([e.cost.mean(0) for e in last], 0)
    return returns, cost, world.solve(limit)


def test_the_limit_is_met_near_the_best_return():
    returns, cost, optimum = learn("toy/Corridor-v0", (3.0,), 60_000)
    assert cost[0] <= 1.05 * 3.0 and returns >= 0.9 * optimum.returns, (returns, cost, optimum)
    assert cost[0] > 1.0, "and the limit is made use of"


def test_two_limits_are_met_near_the_best_return():
    returns, cost, optimum = learn("toy/TwoCosts-v0", (3.0, 4.0), 60_000)
    assert (cost <= 1.05 * np.array([3.0, 4.0])).all() and returns >= 0.9 * optimum.returns, (returns, cost, optimum)


def test_a_limit_that_does_not_bind_changes_nothing_of_the_task():
    returns, cost, optimum = learn("toy/Corridor-v0", (100.0,), 30_000)
    assert returns >= 0.95 * optimum.returns and cost[0] > 6.0, (returns, cost, optimum)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("discount", 1.2, r"\(0, 1\)"),
        ("hidden", (), "integers > 0"),
        ("batch", 0, "an integer > 0"),
        ("samples", 1, "an integer > 1"),
        ("radius", -0.1, "nats > 0"),
        ("old_rate", 0.0, r"\(0, 1\]"),
        ("warmup", -1, ">= 0"),
    ],
)
def test_an_impossible_value_is_refused_with_the_field_the_value_and_what_is_allowed(field, value, allowed):
    with pytest.raises(ValueError, match=rf"{field} = .*{allowed}"):
        Config(**{field: value})
