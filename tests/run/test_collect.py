"""Gathering experience: warm-up, memory of policies, dummy steps, all kinds of observations and actions."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.algorithm import Algorithm
from bridle.core.types import Continuous, Leaf, Outcome, Spec
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run.collect import Collector, env_seeds, generator, random_action

N = 3


def still(act, begin=lambda num_envs: (), **changes):
    """An algorithm that does not learn."""
    return Algorithm(
        init=lambda key: (), actor=lambda state: (), begin=begin, act=act, updates=(), memory=100, **changes
    )


def gaussian(actor, carry, obs, key, explore):
    n = jax.tree.leaves(obs)[0].shape[0]
    return carry, jnp.clip(jax.random.normal(key, (n, 1)), -1, 1), {"log_prob": jnp.zeros(n)}


def categorical(actor, carry, obs, key, explore):
    """A discrete policy: prefers the cell's own number."""
    logits = 2.0 * obs
    action = jax.random.categorical(key, logits) if explore else logits.argmax(-1)
    return carry, action, {"log_prob": jax.nn.log_softmax(logits)[jnp.arange(len(obs)), action]}


class Dummies:
    """A world in NEXT_STEP mode: episodes of `length` steps, and a dummy step after each."""

    def __init__(self, lengths=(2, 3, 4)):
        self.lengths = np.array(lengths)
        self.spec = Spec("dummies", Leaf((1,)), Continuous(1), len(lengths), horizon=None)

    def reset(self, seeds):
        self.seeds, self.clock, self.dummy = seeds, np.zeros(N, int), np.zeros(N, bool)
        return self._look()

    def step(self, action):
        valid = ~self.dummy
        self.clock = np.where(valid, self.clock + 1, 0)
        ended = valid & (self.clock >= self.lengths)
        self.dummy = ended
        obs = self._look()
        reward = valid.astype(np.float32)
        return Outcome(obs, obs, reward, reward[:, None], ended, np.zeros(N, bool), valid)

    def _look(self):
        return self.clock[:, None].astype(np.float32)

    def get_state(self):
        return None


def test_warm_up_is_uniformly_random_and_then_the_policy_acts():
    family = still(lambda actor, carry, obs, key, explore: (carry, jnp.full((N, 1), 0.5), {}), warmup=600 * N)
    rows = Collector(make("toy/Corridor-v0", N), family, 0).gather((), 0, 610)
    action = np.stack([row.action for row in rows])[..., 0]
    assert (action[600:] == 0.5).all() and (action[:600] != 0.5).all()
    share = np.histogram(action[:600], 4, (-1, 1))[0] / action[:600].size
    np.testing.assert_allclose(share, 0.25, atol=0.04)


def test_a_random_discrete_action_is_any_of_the_choices():
    spec = make("toy/Discrete-v0", 1000).spec
    action = random_action(spec, generator(0, "warmup", 0))
    assert action.dtype == np.int32 and set(action) == {0, 1, 2, 3, 4}


def test_numbers_depend_on_seed_stream_and_place_alone():
    assert generator(1, "draws", 5, 0).integers(1 << 40) == generator(1, "draws", 5, 0).integers(1 << 40)
    several = [
        generator(*where).integers(1 << 40)
        for where in ((1, "draws", 5), (1, "draws", 6), (2, "draws", 5), (1, "warmup", 5))
    ]
    assert len(set(several)) == 4
    assert len(set(env_seeds(0, "seeds", 50, 0))) == 50


def test_the_memory_of_a_policy_starts_afresh_with_each_episode():
    """The carry counts the steps of the episode; its own count is what the policy notes."""
    count = lambda actor, carry, obs, key, explore: (carry + 1, jnp.zeros((len(obs), 1)), {"count": carry})
    family = still(count, begin=lambda num_envs: jnp.zeros(num_envs))
    rows = Collector(Dummies(), family, 0).gather((), 0, 40)
    count, clock, valid = (
        np.stack(x) for x in ([r.extras["count"] for r in rows], [r.obs[:, 0] for r in rows], [r.valid for r in rows])
    )
    assert (~valid).sum() > 15
    np.testing.assert_array_equal(count[valid], clock[valid])


def test_dummy_steps_are_masked_and_count_for_nothing():
    world = Dummies()
    rows = Collector(world, still(gaussian), 0).gather((), 0, 60)
    ring = Ring(world.spec, 60 * N, {"log_prob": np.zeros(N, np.float32)})
    finished = [episode for t, row in enumerate(rows) for episode in ring.add(row, t)]
    assert {(returns, length) for returns, _, length in finished} == {(2.0, 2), (3.0, 3), (4.0, 4)}
    for before, row in pairwise(rows):
        np.testing.assert_array_equal(row.valid, ~before.terminated)


@pytest.mark.parametrize(
    ("name", "act"), [("toy/Corridor-v0", gaussian), ("toy/Dict-v0", gaussian), ("toy/Discrete-v0", categorical)]
)
def test_every_kind_of_observation_and_action_is_lived_and_remembered(name, act):
    world, family = make(name, N), still(act)
    found = Collector(world, family, 0)
    extras = found.example_extras(())
    assert extras["log_prob"].shape == (N,)
    ring = Ring(world.spec, 100, extras)
    rows = found.gather((), 0, 45)
    finished = [episode for t, row in enumerate(rows) for episode in ring.add(row, t)]
    assert len(finished) == 2 * N and all(length == 20 for *_, length in finished)
    for before, row in pairwise(rows):
        ended = (before.terminated | before.truncated).astype(bool)
        for was, now in zip(jax.tree.leaves(before.next_obs), jax.tree.leaves(row.obs), strict=True):
            np.testing.assert_array_equal(was[~ended], now[~ended])
    kept = ring.slice(ring.total - ring.held, ring.total)
    lived = [np.stack(leaves) for leaves in zip(*(jax.tree.leaves(row) for row in rows[-ring.held :]), strict=True)]
    for ours, theirs in zip(kept.values(), lived, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_discrete_policy_is_followed():
    found = Collector(make("toy/Discrete-v0", 200), still(categorical), 0)
    obs, action = zip(*((row.obs.argmax(-1), row.action) for row in found.gather((), 0, 20)), strict=True)
    agree = np.mean(np.concatenate(obs) == np.concatenate(action))
    assert agree == pytest.approx(np.e**2 / (np.e**2 + 4), abs=0.05)


def test_a_collector_goes_on_where_another_stopped():
    family = still(gaussian, warmup=20)
    one, other = (Collector(make("toy/Corridor-v0", N), family, 7) for _ in range(2))
    straight = one.gather((), 0, 30)
    other.gather((), 0, 13)
    third = Collector(make("toy/Corridor-v0", N), family, 7)
    third.set_state(other.get_state())
    for a, b in zip(straight[13:], third.gather((), 13 * N, 17), strict=True):
        assert str(a) == str(b)


def test_a_world_that_cannot_tell_its_state_says_so():
    assert Collector(Dummies(), still(gaussian), 0).get_state() is None


def test_a_world_without_cost_costs_zero():
    class Costless(Dummies):
        def __init__(self):
            super().__init__()
            self.spec = Spec("costless", Leaf((1,)), Continuous(1), N, constraints=())

        def step(self, action):
            return super().step(action)._replace(cost=np.zeros((N, 0), np.float32))

    world = Costless()
    ring = Ring(world.spec, 100, {"log_prob": np.zeros(N, np.float32)})
    finished = [
        e for t, row in enumerate(Collector(world, still(gaussian), 0).gather((), 0, 9)) for e in ring.add(row, t)
    ]
    assert finished and all(cost.shape == (1,) and cost[0] == 0 for _, cost, _ in finished)
