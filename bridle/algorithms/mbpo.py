"""Model-based policy optimisation, MBPO (Janner et al. 2019, arXiv:1906.08253): soft actor-critic on short paths that an ensemble
imagines from where it has really been; under a multiplier on cost where one is asked for.

The settings of SAC are those of `sac`; the multiplier listens to what is really lived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from bridle.algorithms import sac
from bridle.core.algorithm import Algorithm, Batch, Everything, Update
from bridle.core.config import check_ranges
from bridle.core.types import CostLimit, Drawn, Rules, Spec, Transition
from bridle.nets.mlp import flatten_obs, obs_size
from bridle.parts.dynamics import fit as fitting
from bridle.parts.dynamics.doubt import normalised_variance
from bridle.parts.dynamics.lived import as_step, asked, known
from bridle.parts.dynamics.model import UNBOUNDED, Dynamics, Model, held_out
from bridle.parts.dynamics.model import init as no_model
from bridle.parts.dynamics.trust import beside, judged
from bridle.parts.imagination import horizon_at, horizons, imagine


def _model() -> Dynamics:
    return Dynamics(hidden=(200, 200), decay=(2.5e-5, 5e-5, 1e-4), scale_out=True, max_updates=300, patience=3)


@dataclass(frozen=True)
class Config(sac.Config):
    """Model-based policy optimisation."""

    n_step: int = 1
    """Env steps of experience in a TD target; imagined steps are drawn one by one, so 1 alone is allowed."""
    every: int = 250
    """Env steps, summed over all copies, between two blocks of updates."""
    times: int = 1_000
    """Updates in a block."""
    memory: int = 200_000
    """Env steps that replay holds."""
    model: Dynamics = field(default_factory=_model)
    """The ensemble, and how it is fitted: `--model.members`, ..."""
    rules: Literal["known", "learned"] = "known"
    """Take cost, termination and reward from the world's rules where it tells them, or learn them all."""
    first_updates: int = 3_000
    """Gradient steps of the model's first fit at most, after `warmup`."""
    fit_every: int = 500
    """Env steps between two fits of the model, and between two rounds of imagination, which follow them."""
    paths: int = 20_000
    """Imagined paths after each fit."""
    epoch: int = 1_000
    """Env steps that `schedule` counts as one."""
    schedule: tuple[int, ...] = (20, 150, 1, 1)
    """First and last epoch between which the length of paths goes from the third number to the fourth."""
    dreams: int = 200_000
    """Imagined steps that are held; the oldest give way."""
    real_share: float = 0.05
    """Part of each batch that is really lived."""
    sampled: bool = True
    """Does a step of the model draw noise? Else it is the mean."""

    def __post_init__(self):
        super().__post_init__()
        counts = ("first_updates", "fit_every", "paths", "epoch")
        own = {name: (getattr(self, name) > 0, "an integer > 0") for name in counts}
        ordered = len(self.schedule) == 4 and self.schedule[0] <= self.schedule[1] and min(self.schedule[2:]) > 0
        own |= {
            "n_step": (self.n_step == 1, "1: imagined steps are drawn one by one"),
            "schedule": (ordered, "four integers: first epoch <= last epoch, first and last length > 0"),
            "real_share": (0.0 <= self.real_share <= 1.0, "a number in [0, 1]"),
        }
        check_ranges(self, own)
        most = self.paths * max(self.schedule[2:])
        check_ranges(self, {"dreams": (self.dreams >= most, f"an integer >= {most}, what one round may imagine")})

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """MBPO for a world with continuous actions; observations of several arrays are laid flat."""
        base = super().build(spec, limit)
        begin = base.updates[0].start
        if begin < (least := ENOUGH * spec.num_envs):
            raise ValueError(
                f"warmup = {self.warmup}; allowed: an integer >= {least + self.every - 1}: a model learns nothing from fewer than {ENOUGH} steps of each env"
            )
        rules = known(spec) if self.rules == "known" else Rules()
        model = asked(self.model, rules, self.constrained)
        bound = {"config": self, "spec": spec, "model": model, "rules": rules}
        lift = {update.name: update._replace(step=partial(lifted, step=update.step)) for update in base.updates}
        share = max(1, round(self.real_share * self.batch))
        lift["policy"] = base.updates[0]._replace(
            draw=Batch(share), step=partial(mixed, step=base.updates[0].step, count=self.batch - share)
        )
        updates = (
            Update("model", Everything(), partial(update_model, **bound), self.fit_every, begin - self.fit_every),
            *lift.values(),
        )
        learned = [name for name in ("reward", "cost", "terminated") if getattr(rules, name) is None]
        return base._replace(
            init=partial(init, base=base, **bound),
            actor=lambda state: base.actor(state.agent),
            updates=updates,
            about=(*base.about, f"the model learns next observations and {', '.join(learned) or 'nothing else'}"),
        )


ENOUGH = 16
"""Steps of each env below which no model is begun."""


class Dreams(NamedTuple):
    """A ring of imagined steps."""

    rows: Transition
    """Leaves [M ...], observations flat."""
    held: jax.Array
    """Rows that are filled."""
    next: jax.Array
    """Where the next goes."""


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    agent: sac.State
    model: Model
    dreams: Dreams
    ends: jax.Array
    """Did any lived episode terminate? Else none does in imagination, whatever an ensemble that never saw one may say."""


def init(key, *, base: Algorithm, config: Config, spec: Spec, model: Dynamics, rules: Rules) -> State:
    k_agent, k_model = jax.random.split(key)
    o, a, c = obs_size(spec.obs), spec.action.size, max(1, len(spec.constraints))
    blank = lambda *shape, dtype=jnp.float32: jnp.zeros((config.dreams, *shape), dtype)
    flag = lambda: blank(dtype=jnp.bool_)
    rows = Transition(blank(o), blank(a), blank(), blank(c), blank(o), flag(), flag(), flag(), {})
    return State(
        agent=base.init(k_agent),
        model=no_model(k_model, o, a, c, model),
        dreams=Dreams(rows, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)),
        ends=jnp.zeros((), bool),
    )


def update_model(state: State, data: Drawn, key, *, config: Config, spec: Spec, model: Dynamics, rules: Rules):
    """Fit the ensemble to all that was lived, and imagine paths of the present policy from there.

    Metrics also tell how the ensemble before the fit judged what was lived since the last one.
    """
    k_judge, k_fit, k_start, k_live = jax.random.split(key, 4)
    lived = data.rows._replace(obs=flatten_obs(data.rows.obs, 2), next_obs=flatten_obs(data.rows.next_obs, 2))
    world = partial(as_step, constraints=lived.cost.shape[-1], config=model, sample=config.sampled, rules=rules)
    doubting = world(state.model, doubt=normalised_variance, ends=state.ends)
    before = judged(state.model, doubting, data._replace(rows=lived), config.fit_every, spec, k_judge)
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), lived)
    most = jnp.where(state.model.fits == 0, config.first_updates, model.max_updates or UNBOUNDED)
    fitted, told = fitting.fit(state.model, rows, rows.valid, held_out(rows.valid, model), k_fit, model, most)
    state = state._replace(model=fitted, ends=(rows.terminated & rows.valid).any())
    chance = jnp.cumsum(rows.valid.astype(jnp.int32))
    at = jnp.searchsorted(chance, jax.random.randint(k_start, (config.paths,), 1, chance[-1] + 1))
    actor = (state.agent.actor, state.agent.moments)
    dreamt = imagine(
        world(state.model, ends=state.ends),
        lambda obs, key: (sac.act(actor, (), obs, key, True, config=config)[1], {}),
        rows.obs[at],
        horizon_at(data.step // config.epoch, config.schedule),
        k_live,
        cap=max(config.schedule[2:]),
    )
    imagined = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), dreamt.rows)
    dreams = remembered(state.dreams, imagined)
    metrics = {"dreams": dreams.held.astype(jnp.float32)} | beside(rows, imagined) | horizons(dreamt)
    return state._replace(dreams=dreams), told | before | metrics, {}


def remembered(dreams: Dreams, rows: Transition) -> Dreams:
    """With those of `rows` [R ...] that are valid."""
    size = dreams.rows.valid.shape[0]
    count = rows.valid.sum(dtype=jnp.int32)
    place = (dreams.next + jnp.cumsum(rows.valid.astype(jnp.int32)) - 1) % size
    place = jnp.where(rows.valid, place, size)  # the others go nowhere
    put = lambda column, leaf: column.at[place].set(leaf, mode="drop")
    found = jax.tree.map(put, dreams.rows, rows)
    return Dreams(found, jnp.minimum(dreams.held + count, size), (dreams.next + count) % size)


def mixed(state: State, data: Drawn, key, *, step: Any, count: int):
    """A step of SAC on lived rows and `count` imagined ones."""
    k_draw, k_step = jax.random.split(key)
    at = jax.random.randint(k_draw, (count,), 0, jnp.maximum(state.dreams.held, 1))
    real = data.rows._replace(obs=flatten_obs(data.rows.obs, 1), next_obs=flatten_obs(data.rows.next_obs, 1), extras={})
    rows = jax.tree.map(lambda lived, column: jnp.concatenate([lived, column[at]]), real, state.dreams.rows)
    agent, metrics, _ = step(state.agent, data._replace(rows=rows), k_step)
    return state._replace(agent=agent), metrics, {}


def lifted(state: State, data: Drawn, key, *, step: Any):
    """An update of SAC as it is."""
    agent, metrics, writes = step(state.agent, data, key)
    return state._replace(agent=agent), metrics, writes
