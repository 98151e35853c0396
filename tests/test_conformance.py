"""What every algorithm must keep, whatever it learns: one row in the table is tested here free of charge."""

from __future__ import annotations

import dataclasses
import importlib
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from bridle.algorithms import ALGORITHMS, base_of, config_class
from bridle.algorithms.presets import PRESETS
from bridle.core.algorithm import Algorithm
from bridle.core.types import Continuous, CostLimit, Discrete, Leaf, Spec
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run import checkpoint
from bridle.run.collect import Collector
from bridle.run.records import from_json
from bridle.run.train import begin, compiled, train

N = 4
SMALL = {
    "hidden": (16,),
    "batch": 16,
    "every": 32,
    "times": 2,
    "warmup": 64,
    "memory": 256,
    "samples": 4,
    "rollout": 64,
    "explore": 64,
    "first_updates": 4,
    "fit_every": 32,
    "real": 64,
    "min_real": 32,
    "max_real": 64,
    "paths": 8,
    "longest": 4,
    "dreams": 128,
    "epoch": 32,
}
"""What makes a config small, where it has such a field."""
NESTED = {
    "values": {"hidden": (16,), "batch": 16, "passes": 2},
    "model": {"hidden": (16,), "decay": (1e-6,), "members": 3, "elites": 2, "batch": 16, "max_updates": 4},
    "policy": {"hidden": (16,), "values": {"hidden": (16,), "batch": 16, "passes": 2}},
}
"""The same of fields that hold settings of their own."""
OWN = {"cmbpo": {"batch": 128}}
"""What is small for one of them alone."""
PRESETS_OF = {name: {k: p.config for k, p in PRESETS.items() if base_of(p.algorithm)[0] == name} for name in ALGORITHMS}
VARIANTS = {
    "cvpo": {
        "paper": {
            "head": "full",
            "n_step": 3,
            "alpha_rule": "ascent",
            "fit_scale": "1/samples",
            "cost_after_death": "unmasked",
            "limit_unit": "horizon",
            "max_grad_norm": 0.01,
            "fit_steps": 2,
        },
        "reach": {"reach": 0.5, "layer_norm": True, "normalise_obs": True},
    },
}
VARIANTS |= {
    "sac": {
        "pid": {"constraint": "pid", "signal": "episodes", "normalise_obs": True},
        "redq": {
            "constraint": "lagrange",
            "signal": "critic",
            "critics": 4,
            "subset": 2,
            "layer_norm": True,
            "dropout": 0.1,
            "actor_every": 2,
            "temperature": "fixed",
        },
    },
    "td3": {"lagrange": {"constraint": "lagrange", "cost_critics": 2, "n_step": 3}},
    "ddpg": {"pid": {"constraint": "pid", "signal": "critic", "rescale": False, "n_step": 1}},
    "ppo": {"pid": {"constraint": "pid", "entropy": 0.01, "cost_after_death": "unmasked"}},
    "cmbpo": {
        "schedule": {
            "rollouts": "schedule",
            "schedule": [2, 4, 1, 4],
            "recalibrate": True,
            "joint": True,
            "sampled": True,
            "doubt": "variance",
        },
    },
    "mbpo": {
        "lagrange": {"constraint": "lagrange", "schedule": [1, 3, 1, 3], "normalise_obs": True},
        "critic": {"constraint": "pid", "signal": "critic", "rules": "learned", "sampled": False},
    },
    "trpo": {"lagrange": {"constraint": "lagrange", "normalise_obs": False}},
    "cpo": {
        "rate": {"cost_mode": "rate"},
        "discounted": {"cost_mode": "discounted"},
        "search": {"constrain_cost": "line_search"},
    },
}
"""Further settings that must keep the contract too."""
NAMES = [*ALGORITHMS, "_template"]
CASES = [(name, "", world) for name in NAMES for world in ("toy/TwoCosts-v0", "toy/Dict-v0")]
CASES += [(name, variant, "toy/TwoCosts-v0") for name, variants in VARIANTS.items() for variant in variants]


def small_config(name, variant=""):
    kind = config_class(name) if name in ALGORITHMS else importlib.import_module(f"bridle.algorithms.{name}").Config
    fields = {field.name for field in dataclasses.fields(kind)}
    small = {k: v for k, v in SMALL.items() if k in fields}
    published = PRESETS_OF.get(name, {}).get(variant, {})
    small |= {k: published.get(k, {}) | v for k, v in NESTED.items() if k in fields}
    small |= OWN.get(name, {})
    return from_json(kind, published | small | VARIANTS.get(name, {}).get(variant, {}))


def structure(settings):
    """A config with how many and how much left out: settings of one structure run the same lines."""
    if dataclasses.is_dataclass(settings):
        return type(settings), tuple(structure(getattr(settings, f.name)) for f in dataclasses.fields(settings))
    if isinstance(settings, bool) or not isinstance(settings, int | float):
        return settings if not isinstance(settings, tuple) else tuple(map(structure, settings))
    return (settings > 0) + (settings >= 1)


def distinct(cases):
    """Presets of which nothing is left but another case, once they are made small, are tested once."""
    known = {structure(small_config(name, variant)) for name, variant, _ in CASES}
    for name, variant, world in cases:
        told = structure(small_config(name, variant))
        if told not in known:
            known.add(told)
            yield name, variant, world


CASES += distinct((name, preset, "toy/TwoCosts-v0") for name, presets in PRESETS_OF.items() for preset in presets)


class Case(NamedTuple):
    """An algorithm that has lived and learned a little."""

    config: Any
    spec: Spec
    algorithm: Algorithm
    first: Any
    """The state before any update."""
    state: Any
    """The state after some runs of each update."""
    collector: Collector
    ring: Ring
    told: dict
    """Every metric that was reported."""
    runs: dict
    """Each update as the loop runs it, compiled once for all these tests."""

    def draw(self, update):
        """What one run of an update would learn from."""
        return self.ring.draw(update.draw, update.times, 400, 0, np.random.default_rng(0))

    def run(self, update, state, tick=3):
        """(state, metrics, writes) of one run on those draws; the state that is given is kept."""
        kept = jax.tree.map(lambda leaf: leaf.copy(), state)
        return self.runs[update.name](kept, self.draw(update), jax.random.key(0), np.uint32(400), np.uint32(tick))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(filter(None, case)))
def case(request):
    name, variant, world_name = request.param
    world, config = make(world_name, N), small_config(name, variant)
    algorithm = config.build(world.spec, CostLimit((3.0, 4.0)[: len(world.spec.constraints)]))
    collector = Collector(world, algorithm, 0)
    start = begin(algorithm, 0)
    first = jax.device_get(start.state)
    ring = Ring(world.spec, algorithm.memory, collector.example_extras(start.actor), algorithm.columns)
    told = {}
    progress = train(
        algorithm, collector, ring, 1200, 0, start, report=lambda progress, metrics, _: told.update(metrics)
    )
    runs = {update.name: compiled(update) for update in algorithm.updates}
    return Case(config, world.spec, algorithm, first, progress.state, collector, ring, told, runs)


def same(a, b):
    """Are two trees the same to the bit?"""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.asarray(x).dtype == np.asarray(y).dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in pairs
    )


def kinds(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), tree)


def test_every_leaf_of_state_and_actor_is_an_array(case):
    fresh = case.algorithm.init(jax.random.key(1))
    for tree in (fresh, case.state, case.algorithm.actor(fresh)):
        assert jax.tree.leaves(tree) and all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tree))


def test_updates_change_the_values_of_a_state_and_never_its_shapes(case):
    assert kinds(case.first) == kinds(case.state)
    assert not same(case.first, case.state), "something was learned"
    assert not same(case.algorithm.actor(case.first), case.algorithm.actor(case.state)), "also by the actor"


def test_init_depends_on_its_key_alone(case):
    one, again, other = (case.algorithm.init(jax.random.key(k)) for k in (1, 1, 2))
    assert same(one, again) and not same(one, other)


@pytest.mark.parametrize("explore", [True, False])
def test_actions_have_their_shape_type_and_range_and_depend_on_the_key_alone(case, explore):
    act = jax.jit(case.algorithm.act, static_argnums=4)
    actor, carry = case.algorithm.actor(case.state), case.algorithm.begin(N)
    found = act(actor, carry, case.collector.obs, jax.random.key(1), explore)
    new_carry, action, extras = found
    if isinstance(case.spec.action, Continuous):
        assert action.shape == (N, case.spec.action.size) and action.dtype == np.float32
        assert np.isfinite(action).all() and np.abs(action).max() <= 1.0
    else:
        assert action.shape == (N,) and np.issubdtype(action.dtype, np.integer)
        assert 0 <= action.min() and action.max() < case.spec.action.choices
    assert kinds(new_carry) == kinds(carry) and all(leaf.shape[0] == N for leaf in jax.tree.leaves((carry, extras)))
    assert same(found, act(actor, carry, case.collector.obs, jax.random.key(1), explore))
    other = act(actor, carry, case.collector.obs, jax.random.key(2), explore)[1]
    assert not same(action, other) if explore else case.algorithm.sampled or same(action, other)


def test_an_update_is_a_pure_function_of_state_data_and_key(case):
    for update in case.algorithm.updates:
        before = jax.device_get(case.state)
        once, twice = (case.run(update, case.state) for _ in range(2))
        assert same(once, twice), update.name
        assert same(before, case.state), "its input is as it was"


def test_the_first_update_does_something(case):
    assert not same(case.run(case.algorithm.updates[0], case.state)[0], case.state)


def test_metrics_are_finite_scalars_and_writes_are_columns_of_the_drawn_rows(case):
    columns = {name for name, _ in case.algorithm.columns}
    for update in case.algorithm.updates:
        data = case.draw(update)
        _, metrics, writes = case.run(update, case.state)
        assert metrics and all(np.shape(value) == () and np.isfinite(value) for value in metrics.values()), metrics
        assert set(writes) <= columns and all(np.shape(value) == data.index.shape for value in writes.values())
        assert {f"{update.name}/{name}" for name in metrics} <= set(case.told), "each update ran in training"


def test_each_update_compiles_once(case):
    """From the state that a training begins with, whose leaves may be of weak types, as from one that an update gave."""
    for update in case.algorithm.updates:
        state = begin(case.algorithm, 0).state
        for tick in range(3):
            state = case.run(update, state, tick)[0]
        assert case.runs[update.name]._cache_size() == 1, update.name


def test_a_state_comes_back_from_a_checkpoint_to_the_bit_and_learns_on_the_same(case, tmp_path):
    checkpoint.save(tmp_path, 400, {"state": case.state}, {"step": 400}, case.ring)
    like = {"state": jax.eval_shape(case.algorithm.init, jax.random.key(0))}
    back = checkpoint.load(tmp_path, like).tree["state"]
    assert same(back, case.state)
    update = case.algorithm.updates[0]
    ours, theirs = (case.run(update, state) for state in (case.state, back))
    assert same(ours, theirs)


def test_the_schedule_is_made_of_counts_and_names_of_their_own(case):
    names = [update.name for update in case.algorithm.updates]
    assert len(set(names)) == len(names) and case.algorithm.memory > 0
    for update in case.algorithm.updates:
        assert update.times >= 1 and update.start >= 0 and (callable(update.every) or update.every >= 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_world_with_the_wrong_kind_of_actions_is_refused_in_words(name):
    config = small_config(name)
    refused = 0
    for action in (Continuous(1), Discrete(3)):
        try:
            config.build(Spec("a world", Leaf((2,)), action, N, 20), CostLimit((1.0,)))
        except ValueError as error:
            refused += 1
            assert "a world" in str(error) and "action" in str(error)
    assert refused <= 1, "some world must do"


@pytest.mark.parametrize("name", NAMES)
def test_a_config_is_frozen_and_each_field_says_what_it_is(name):
    import ast
    import inspect

    kind = type(small_config(name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind(), dataclasses.fields(kind)[0].name, None)
    bodies = [ast.parse(inspect.getsource(one)).body[0].body for one in kind.__mro__[:-1]]
    told = {
        field.target.id
        for body in bodies
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
    assert told == {field.name for field in dataclasses.fields(kind)}, "the docstring under a field is its --help"
