"""MBPO: within a limit on few real steps, what it remembers of its dreams, and what its batches hold."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.algorithms import base_of, config_class, mbpo
from bridle.core.types import CostLimit, Drawn, Transition
from bridle.envs import make
from bridle.parts.dynamics.model import Dynamics

path = Path(__file__).with_name("test_off_policy.py")
spec = importlib.util.spec_from_file_location("off_policy", path)
off_policy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(off_policy)

SMALL = off_policy.SMALL | {
    "model": Dynamics(hidden=(32, 32), members=4, elites=3, batch=64, decay=(1e-6,), scale_out=True, max_updates=100),
    "every": 80,
    "times": 40,
    "fit_every": 320,
    "warmup": 640,
    "paths": 2_000,
    "schedule": (1, 4, 1, 2),
    "dreams": 8_000,
    "aim": 0.85,
}


@pytest.mark.parametrize("name", ["mbpo-pid"])
def test_the_limit_is_met_near_the_best_return_on_a_quarter_of_the_steps(name):
    base, told = base_of(name)
    config = config_class(base)(**SMALL, **told, alpha=0.02, temperature="fixed")
    returns, cost, optimum, progress = off_policy.learn("toy/Corridor-v0", (3.0,), 12_000, config)
    assert cost[0] <= 1.05 * 3.0 and returns >= 0.9 * optimum.returns, (returns, cost, optimum)
    assert cost[0] > 1.0, "and the limit is made use of"
    assert progress.state.model.fits == 1 + (12_000 - 640) // 320


def rows_of(count, valid, tag):
    """Rows that are told apart by their reward."""
    line = jnp.arange(count) + tag
    column = lambda *shape: jnp.zeros((count, *shape))
    flag = jnp.zeros(count, bool)
    return Transition(column(2), column(1), line * 1.0, column(1), column(2), flag, flag, jnp.asarray(valid), {})


def test_dreams_are_a_ring_of_the_newest_valid_steps():
    rows = jax.tree.map(lambda leaf: jnp.zeros((4, *leaf.shape[1:]), leaf.dtype), rows_of(4, [False] * 4, 0))
    dreams = mbpo.Dreams(rows, jnp.asarray(0), jnp.asarray(0))
    dreams = mbpo.remembered(dreams, rows_of(4, [True, False, True, True], 10))
    assert int(dreams.held) == 3 and int(dreams.next) == 3
    np.testing.assert_array_equal(dreams.rows.reward, [10, 12, 13, 0])
    dreams = mbpo.remembered(dreams, rows_of(4, [False, True, True, False], 20))
    assert int(dreams.held) == 4 and int(dreams.next) == 1
    np.testing.assert_array_equal(dreams.rows.reward, [22, 12, 13, 21])


@pytest.mark.parametrize(("share", "lived"), [(0.0, 1), (0.25, 4), (1.0, 16)])
def test_a_batch_holds_its_share_of_lived_rows(share, lived):
    config = mbpo.Config(**SMALL | {"batch": 16, "real_share": share})
    algorithm = config.build(make("toy/Corridor-v0", 8).spec, CostLimit((3.0,)))
    policy = {update.name: update for update in algorithm.updates}["policy"]
    assert policy.draw.size == lived
    state = algorithm.init(jax.random.key(0))
    size = state.dreams.rows.obs.shape[1]
    wide = lambda rows: rows._replace(
        obs=jnp.zeros((len(rows.reward), size)), next_obs=jnp.zeros((len(rows.reward), size))
    )
    dreams = state.dreams._replace(
        rows=state.dreams.rows._replace(reward=jnp.full(config.dreams, -1.0)), held=jnp.asarray(5)
    )
    seen = []

    def step(agent, data, key):
        seen.append(data.rows)
        return agent, {}, {}

    data = Drawn(wide(rows_of(lived, [True] * lived, 1)), None, None, jnp.asarray(0.0))
    mbpo.mixed(state._replace(dreams=dreams), data, jax.random.key(1), step=step, count=16 - lived)
    reward = np.asarray(seen[0].reward)
    assert len(reward) == 16 and (reward > 0).sum() == lived and (reward == -1).sum() == 16 - lived


def test_what_could_never_learn_is_refused_at_the_start():
    world = make("toy/Corridor-v0", 8)
    with pytest.raises(ValueError, match="warmup = 64; allowed: an integer >= .*: a model learns nothing"):
        mbpo.Config(**SMALL | {"warmup": 64}).build(world.spec, CostLimit((3.0,)))
    for field, value in (("n_step", 2), ("paths", 0), ("schedule", (5, 1, 1, 1)), ("dreams", 10), ("real_share", 1.5)):
        with pytest.raises(ValueError, match=f"{field} = .*; allowed"):
            mbpo.Config(**{field: value})
    with pytest.raises(ValueError, match="hears|horizon"):
        mbpo.Config(constraint="pid").build(dataclasses.replace(world.spec, horizon=None), CostLimit((3.0,)))
