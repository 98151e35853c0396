"""Evaluation: whole episodes, a fair share a copy, the same numbers each time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.algorithm import Algorithm
from bridle.core.types import Continuous, Leaf, Outcome, Spec
from bridle.envs import make
from bridle.run.evaluate import Evaluation, Evaluator


def family(act, **changes):
    return Algorithm(init=None, actor=None, begin=lambda num_envs: (), act=act, updates=(), memory=1)._replace(
        **changes
    )


def speed(actor, carry, obs, key, explore):
    """The actor is a speed; exploring it is random."""
    n = len(obs)
    return carry, jax.random.uniform(key, (n, 1), minval=-1.0) if explore else jnp.full((n, 1), actor), {}


class Uneven:
    """Copy i has episodes of i + 1 steps, each step paying i and costing (1, i); a dummy step after each."""

    def __init__(self, num_envs):
        self.spec = Spec("uneven", Leaf((1,)), Continuous(1), num_envs, constraints=("steps", "index"))

    def reset(self, seeds):
        self.seeds = seeds
        self.clock, self.dummy = np.zeros(self.spec.num_envs, int), np.zeros(self.spec.num_envs, bool)
        return self.clock[:, None].astype(np.float32)

    def step(self, action):
        index, valid = np.arange(self.spec.num_envs), ~self.dummy
        self.clock = np.where(valid, self.clock + 1, 0)
        ended = self.dummy = valid & (self.clock > index)
        obs = self.clock[:, None].astype(np.float32)
        reward = (index + 0.0).astype(np.float32) + 100.0 * ~valid  # what a dummy step says must not count
        cost = np.stack([np.ones(len(index)), index], -1)
        return Outcome(obs, obs, reward, cost, ended, np.zeros_like(ended), valid)


def test_each_copy_plays_its_share_so_that_short_episodes_do_not_count_too_often():
    found = Evaluator(Uneven(3), family(speed), 0).play(0.0, 7)
    assert sorted(found.length) == [1, 1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(found.returns, found.length * (found.length - 1))
    np.testing.assert_array_equal(found.cost, np.stack([found.length, found.returns], -1))


def test_fewer_episodes_than_copies_are_played_by_the_first():
    assert sorted(Evaluator(Uneven(5), family(speed), 0).play(0.0, 2).length) == [1, 2]


def test_the_mean_is_evaluated_unless_the_algorithm_samples_or_one_asks():
    told = lambda algorithm, **args: Evaluator(make("toy/Corridor-v0", 4), algorithm, 3, **args).play(-1.0, 8)
    assert (told(family(speed)).cost == 0).all()
    assert (told(family(speed, sampled=True)).cost > 0).any()
    assert (told(family(speed), sample=True).cost > 0).any()
    assert (told(family(speed, sampled=True), sample=False).cost == 0).all()


def test_the_same_place_has_the_same_episodes_and_another_place_has_others():
    evaluator = Evaluator(make("toy/Corridor-v0", 4), family(speed), 3, sample=True)
    first, again, elsewhere = (evaluator.play(0.5, 8, place) for place in (1000, 1000, 2000))
    np.testing.assert_array_equal(first.returns, again.returns)
    assert not np.array_equal(first.returns, elsewhere.returns)


def test_feasible_means_that_the_mean_cost_meets_every_limit():
    found = Evaluation(np.zeros(2), np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([5, 5]))
    assert found.feasible((3.0, 2.0)) and not found.feasible((2.9, 2.0)) and not found.feasible((3.0, 1.9))
    metrics = found.metrics((3.0, 2.0))
    assert (metrics["eval/cost"], metrics["eval/cost_1"], metrics["eval/feasible"]) == (3.0, 2.0, 1.0)


def test_the_first_episode_of_copy_zero_can_be_watched_from_its_first_observation_on():
    world, seen = make("toy/Corridor-v0", 2), []
    Evaluator(world, family(speed), 0).play(1.0, 4, watch=lambda: seen.append(int(world.elapsed[0])))
    assert seen == list(range(20))


@pytest.mark.parametrize("name", ["toy/Dict-v0", "toy/Discrete-v0", "toy/TwoCosts-v0"])
def test_every_kind_of_world_is_evaluated(name):
    discrete = name == "toy/Discrete-v0"

    def act(actor, carry, obs, key, explore):
        n = jax.tree.leaves(obs)[0].shape[0]
        return carry, jnp.full(n, 4) if discrete else jnp.ones((n, 1)), {}

    world = make(name, 50)
    found = Evaluator(world, family(act), 0).play((), 100)
    assert found.cost.shape == (100, len(world.spec.constraints)) and (found.length == 20).all()
    assert found.returns.mean() == pytest.approx(world.solve(1e6).returns, abs=0.5), (
        "full speed is what a careless one does"
    )


def test_a_world_without_cost_is_evaluated_at_cost_zero():
    class Costless(Uneven):
        def step(self, action):
            return super().step(action)._replace(cost=np.zeros((self.spec.num_envs, 0)))

    world = Costless(2)
    world.spec = Spec("costless", Leaf((1,)), Continuous(1), 2, constraints=())
    assert (Evaluator(world, family(speed), 0).play(0.0, 4).cost == np.zeros((4, 1))).all()
