"""Constrained model-based policy optimisation, CMBPO (Zanger, Daaboul and Zoellner 2021, arXiv:2104.06922): CPO on few real steps and many
imagined ones.

An ensemble learns the world; paths begin where past policies were, and end where its members disagree too much. `use_model=False` is CPO,
`policy.constrain_cost="no"` the same with TRPO.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from bridle.algorithms import cpo
from bridle.core.algorithm import Algorithm, Everything, Update
from bridle.core.config import check_ranges, check_types
from bridle.core.names import by_constraint
from bridle.core.types import CostLimit, Drawn, Rules, Spec, Step, Transition
from bridle.maths.gaussian import Gaussian
from bridle.maths.moments import Moments, normalise
from bridle.nets.mlp import flatten_obs, obs_size
from bridle.parts.advantages import (
    Experience,
    ValueFit,
    Values,
    advantages,
    advantages_of_copies,
    experience,
    fit_values,
    joined,
)
from bridle.parts.archive import by_policy
from bridle.parts.dynamics import doubt as doubts
from bridle.parts.dynamics import fit as fitting
from bridle.parts.dynamics.lived import as_step, asked, known
from bridle.parts.dynamics.model import UNBOUNDED, Dynamics, Model, held_out
from bridle.parts.dynamics.model import init as no_model
from bridle.parts.dynamics.trust import beside, judged, newest
from bridle.parts.imagination import Imagined, horizon_at, horizons, imagine, imagine_copies
from bridle.parts.on_policy import act as act_plainly
from bridle.parts.on_policy import listen, look, observed
from bridle.parts.policies import PlainActor

ENOUGH = 16
"""Steps of each env below which no model is begun."""
PROBES = 2_000
"""Paths by which doubt is calibrated."""
AT_MOST = 2
"""Imagination is given up after so many times the steps that would fill a batch: paths that are doubted at once fill none."""


def _policy() -> cpo.Config:
    values = ValueFit(hidden=(128, 128), members=3, passes=2, batch=512)
    return cpo.Config(
        hidden=(128, 128), values=values, aim=0.5, margin_rate=0.02, margin_most=1.0, least_pace=0.1, least_std=0.2
    )


def _model() -> Dynamics:
    return Dynamics(
        hidden=(200, 200), loss="mse", decay=(2.5e-7, 5e-7, 1e-6), scale_out=True, max_updates=150, patience=3
    )


@dataclass(frozen=True)
class Config:
    """Constrained model-based policy optimisation."""

    use_model: bool = True
    """Learn from imagination too? Else this is `policy` alone: CPO, or TRPO."""
    policy: cpo.Config = field(default_factory=_policy)
    """How the policy and its values learn, and what of cost they keep: `--policy.aim`, `--policy.constrain-cost`, ..."""
    model: Dynamics = field(default_factory=_model)
    """The ensemble, and how it is fitted: `--model.members`, ..."""
    explore: int = 10_000
    """Env steps of the first policy before anything is learned."""
    first_updates: int = 3_000
    """Gradient steps of the model's first fit at most."""
    fit_every: int = 1_000
    """Env steps between two fits of the model."""
    real: int = 1_000
    """Env steps before the policy's second update; later ones wait for fewer or more, as doubt falls or grows."""
    min_real: int = 500
    """At least so many."""
    max_real: int = 5_000
    """At most so many."""
    batch: int = 50_000
    """Steps that the policy learns from: real ones, and imagined ones for the rest."""
    paths: int = 4_000
    """Imagined paths side by side; where one ends a new one begins, until `batch` is full, with which they all end."""
    rollouts: Literal["uncertainty", "schedule", "inverse_variance"] = "uncertainty"
    """Where paths end: where accumulated doubt reaches its budget, or by a schedule of lengths. With `inverse_variance` each member lives a
    copy of each path, returns count by how much the members agree about them, and paths end by `most_variance`."""
    most_variance: float = 15.0
    """Rollouts `inverse_variance`: paths end where the variance of a step's return exceeds so many times that of first steps."""
    longest: int = 25
    """Steps of a path at most."""
    schedule: tuple[int, ...] = (10, 500, 5, 25)
    """First and last update between which the length of paths goes from the third number to the fourth."""
    doubt: Literal["kl", "kl_max", "variance"] = "kl"
    """How far members disagree: KL of all pairs (mean or greatest over an observation's dimensions), or variance of their means."""
    probe: int = 5
    """Steps of the paths by which doubt is calibrated, after the first fit."""
    budget: float = 5.0
    """Doubt that a path may gather, in that of a usual step when it was calibrated."""
    recalibrate: bool = False
    """Calibrate after each fit anew; else the budget stays, and paths grow longer as the model improves."""
    sampled: bool = False
    """Does a step of the model draw noise? Published code takes means."""
    resampling: float = 2.0
    """Paths begin where policies acted, in proportion to exp(-this x KL from the present one); 0 for all alike."""
    rules: Literal["known", "learned"] = "known"
    """Take cost, termination and reward from the world's rules where it tells them, or learn them all."""
    joint: bool = False
    """Centre and scale the advantages of real and imagined steps together; else apart, as published code does."""
    memory: int = 100_000
    """Env steps that the archive holds."""

    def __post_init__(self):
        check_types(self)
        names = ("explore", "first_updates", "fit_every", "real", "min_real", "max_real", "batch", "paths", "longest")
        counts = {name: (getattr(self, name) > 0, "an integer > 0") for name in (*names, "probe", "memory")}
        own = {
            "resampling": (self.resampling >= 0, "a number >= 0"),
            "budget": (self.budget > 0, "a number > 0"),
            "most_variance": (self.most_variance > 0, "a number > 0"),
            "schedule": (
                len(self.schedule) == 4 and self.schedule[0] <= self.schedule[1] and min(self.schedule[2:]) > 0,
                "four integers: first update <= last update, first and last length > 0",
            ),
            "max_real": (self.min_real <= self.max_real, "an integer >= min_real"),
            "batch": (self.max_real <= self.batch, "an integer >= max_real"),
        }
        check_ranges(self, counts | own)

    @property
    def constrained(self) -> bool:
        """Does it need a cost and a limit?"""
        return self.policy.constrained

    def build(self, spec: Spec, limit: CostLimit) -> Algorithm:
        """CMBPO for a world with continuous actions; observations of several arrays are laid flat."""
        if not self.use_model:
            return self.policy.build(spec, limit)
        base = self.policy.build(spec, limit)
        rules = known(spec) if self.rules == "known" else Rules()
        model = asked(self.model, rules, self.constrained)
        shown = shown_of(self, spec)
        if self.memory < shown * spec.num_envs:
            raise ValueError(
                f"memory = {self.memory}; allowed: an integer >= {shown * spec.num_envs}, what an update may learn from and a horizon of steps"
            )
        if self.explore < ENOUGH * spec.num_envs:
            least = ENOUGH * spec.num_envs
            raise ValueError(
                f"explore = {self.explore}; allowed: an integer >= {least}: a model learns nothing from fewer than {ENOUGH} steps of each env"
            )
        bound = {"config": self, "spec": spec, "limit": limit, "model": model, "rules": rules}
        begin = -(-self.explore // spec.num_envs) * spec.num_envs
        updates = (
            Update("model", Everything(), partial(update_model, **bound), self.fit_every, begin - self.fit_every),
            Update(
                "policy", Everything(), partial(update_policy, **bound), every=lambda state: state.wanted, start=begin
            ),
        )
        learned = [name for name in ("reward", "cost", "terminated") if getattr(rules, name) is None]
        return Algorithm(
            init=partial(init, **bound),
            actor=lambda state: (state.actor, state.moments, state.epoch),
            begin=lambda num_envs: (),
            act=act,
            updates=updates,
            memory=self.memory,
            overlap=False,
            sampled=True,
            about=(*base.about[:-1], f"the model learns next observations and {', '.join(learned) or 'nothing else'}"),
        )


class State(NamedTuple):
    """What learning carries; every leaf an array."""

    actor: PlainActor
    values: Values
    margin: jax.Array
    moments: Moments | tuple
    model: Model
    epoch: jax.Array
    """Updates of the policy so far: which policy acts."""
    ends: jax.Array
    """Did any episode in the archive terminate? Else none does in imagination, whatever an ensemble that never saw one may say."""
    usual: jax.Array
    """Doubt of a step when it was calibrated; its unit is that of `doubt`."""
    wanted: jax.Array
    """Env steps before the next update of the policy."""


def init(key, *, config: Config, spec: Spec, limit: CostLimit, model: Dynamics, rules: Rules) -> State:
    k_policy, k_model = jax.random.split(key)
    start = cpo.init(k_policy, config=config.policy, spec=spec, limit=limit)
    o, c = obs_size(spec.obs), max(1, len(spec.constraints))
    return State(
        actor=start.actor,
        values=start.values,
        margin=start.margin,
        moments=start.moments,
        model=no_model(k_model, o, spec.action.size, c, model),
        epoch=jnp.zeros((), jnp.int32),
        ends=jnp.zeros((), bool),
        usual=jnp.ones(()),
        wanted=jnp.asarray(config.real, jnp.int32),
    )


def act(actor, carry, obs, key, explore: bool):
    """As on-policy learners do, and it is noted which policy acted, and how it was distributed."""
    network, moments, epoch = actor
    obs = flatten_obs(obs, 1)
    carry, action, extras = act_plainly((network, moments), carry, obs, key, explore)
    dist = network(normalise(moments, obs) if moments else obs)
    return carry, action, extras | {"mean": dist.mean, "std": dist.scale, "epoch": jnp.full(len(obs), epoch)}


def plain(data: Drawn) -> tuple[Drawn, Transition]:
    """What was drawn, observations flat; and its rows one after another, [L N ...] as [B ...]."""
    obs, next_obs = flatten_obs(data.rows.obs, 2), flatten_obs(data.rows.next_obs, 2)
    rows = data.rows._replace(obs=obs, next_obs=next_obs)
    return data._replace(rows=rows), jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), rows)


def update_model(
    state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit, model: Dynamics, rules: Rules
):
    """Fit the ensemble to the archive; after the first fit, or after each, calibrate its doubt."""
    k_fit, k_start, k_live, k_judge = jax.random.split(key, 4)
    data, rows = plain(data)
    before = judged(state.model, world_of(state, config, model, rules), data, config.fit_every, spec, k_judge)
    first = state.model.fits == 0
    most = jnp.where(first, config.first_updates, model.max_updates or UNBOUNDED)
    fitted, told = fitting.fit(state.model, rows, rows.valid, held_out(rows.valid, model), k_fit, model, most)
    state = state._replace(model=fitted, ends=(rows.terminated & rows.valid).any())

    def calibrated():
        starts = starts_of(state, rows, config)(k_start, PROBES)
        probed = lived(state, starts, config.probe, k_live, None, config, model, rules)
        return jnp.maximum(probed.mean_doubt, 1e-8)

    state = state._replace(usual=jax.lax.cond(first | config.recalibrate, calibrated, lambda: state.usual))
    return state, told | before | {"usual_doubt": state.usual}, {}


def update_policy(
    state: State, data: Drawn, key, *, config: Config, spec: Spec, limit: CostLimit, model: Dynamics, rules: Rules
):
    """Imagine, join what was lived since the last update, and step the policy and its values."""
    k_imagine, k_values = jax.random.split(key)
    data, flat = plain(data)
    recent = latest(data, config, spec)
    fresh = recent._replace(valid=recent.valid & (recent.extras["epoch"] == state.epoch))
    real = of_rows(state, fresh, config)
    room = jnp.maximum(config.batch - fresh.valid.sum(), 0)
    if config.rollouts == "inverse_variance":
        dreamt, imagined = by_inverse_variance(state, flat, k_imagine, config, model, rules)
    else:
        dreamt = dreamt_of(state, flat, room, k_imagine, config, model, rules)
        imagined = of_rows(state, dreamt.rows, config)
    batch = joined(real, imagined, config.joint, config.batch)
    metrics, beyond, pace = {}, jnp.zeros_like(state.margin), 1.0
    if config.constrained:
        ear = max(spec.horizon, config.real // spec.num_envs)
        lately = jax.tree.map(lambda leaf: leaf[-ear:], recent)
        heard = listen(lately, spec)
        state, beyond, pace = cpo.hold_back(state, heard, real, fresh, data.step, config.policy, spec, limit)
        metrics = by_constraint("episode_cost", heard.cost) | by_constraint("margin", state.margin * spec.horizon)
    actor, told = cpo.improve(state.actor, batch, beyond, config.policy, pace)
    values, of_values = fit_values(state.values, batch, k_values, config.policy.values)
    moments = observed(state.moments, fresh)
    doubt = dreamt.mean_doubt
    wanted = config.real * (doubt / state.usual if config.rollouts != "inverse_variance" else jnp.ones(()))
    wanted = jnp.clip(wanted, config.min_real, config.max_real).astype(jnp.int32)
    metrics |= told | of_values | beside(fresh, dreamt.rows) | horizons(dreamt)
    metrics |= {"doubt": doubt, "next_real": wanted.astype(jnp.float32)}
    state = state._replace(actor=actor, values=values, moments=moments, epoch=state.epoch + 1, wanted=wanted)
    return state, metrics, {}


def shown_of(config: Config, spec: Spec) -> int:
    """Rows of each env that an update may ask for: the longest stretch of one policy, and an episode."""
    stretch = -(-max(config.max_real, config.explore) // spec.num_envs)
    return max(stretch, (spec.horizon or 0) if config.constrained else 0)


def latest(data: Drawn, config: Config, spec: Spec) -> Transition:
    """The newest rows of the ring, oldest first: [L N ...]."""
    return newest(data, min(data.rows.valid.shape[0], shown_of(config, spec)), spec)


def starts_of(state: State, rows: Transition, config: Config):
    """How paths begin: (key, count) -> observations [count O] of the archive."""
    now = state.actor(normalise(state.moments, rows.obs) if state.moments else rows.obs)
    past = Gaussian(rows.extras["mean"], rows.extras["std"])
    return by_policy(rows.obs, now, past, rows.extras["epoch"], rows.valid, config.resampling)


def dreamt_of(state: State, rows: Transition, room, key, config: Config, model: Dynamics, rules: Rules) -> Imagined:
    """Imagination for one update: paths until there are `room` steps, or as far as a few times that many steps of the model go."""
    k_start, k_live = jax.random.split(key)
    begin, uncertain = starts_of(state, rows, config), config.rollouts == "uncertainty"
    length = config.longest if uncertain else jnp.minimum(horizon_at(state.epoch, config.schedule), config.longest)
    return lived(
        state,
        begin(k_start, config.paths),
        length,
        k_live,
        config.budget * state.usual if uncertain else None,
        config,
        model,
        rules,
        cap=AT_MOST * -(-config.batch // config.paths),
        again=lambda key: begin(key, config.paths),
        enough=room,
    )


def by_inverse_variance(
    state: State, rows: Transition, key, config: Config, model: Dynamics, rules: Rules
) -> tuple[Imagined, Experience]:
    """Paths that each member lives on its own, by the same draws of the policy: one copy of each, and what is learned from it."""
    k_start, k_live, k_who = jax.random.split(key, 3)
    paths, members = -(-config.batch // config.longest), model.members
    starts = starts_of(state, rows, config)(k_start, paths)
    told = {"sample": config.sampled, "rules": rules, "ends": state.ends, "copies": True}
    step = as_step(state.model, state.margin.shape[0], model, **told)
    every = imagine_copies(step, acting(state), starts, members, config.longest, k_live)
    who = jax.random.randint(k_who, (paths,), 0, members)
    mine = jax.tree.map(lambda leaf: leaf[:, who, jnp.arange(paths)], every)
    obs, _, dist, log_prob = look(state, mine.rows)
    next_obs = normalise(state.moments, every.rows.next_obs) if state.moments else every.rows.next_obs
    found, targets, sure = advantages_of_copies(
        state.values, every.rows, who, obs, next_obs, config.policy, config.most_variance
    )
    valid = mine.rows.valid & sure
    ends = valid & ~jnp.concatenate([valid[1:], jnp.zeros_like(valid[:1])])
    kept = mine.rows._replace(valid=valid, truncated=ends & ~mine.rows.terminated)
    return mine._replace(rows=kept), experience(kept, obs, dist, log_prob, found, targets)


def lived(
    state: State, starts, length, key, budget, config: Config, model: Dynamics, rules: Rules, **until
) -> Imagined:
    """The present policy in the model, from `starts`."""
    return imagine(world_of(state, config, model, rules), acting(state), starts, length, key, budget=budget, **until)


def acting(state: State):
    """The present policy, as imagination takes it."""
    return lambda obs, key: act_plainly((state.actor, state.moments), (), obs, key, True)[1:]


def world_of(state: State, config: Config, model: Dynamics, rules: Rules) -> Step:
    """The ensemble as a world that doubts itself."""
    measure = doubts.MEASURES[config.doubt]
    told = {"sample": config.sampled, "rules": rules, "ends": state.ends}
    return as_step(state.model, state.margin.shape[0], model, doubt=measure, **told)


def of_rows(state: State, rows: Transition, config: Config) -> Experience:
    """Rows [L N ...], lived or imagined, as learning takes them."""
    obs, next_obs, dist, log_prob = look(state, rows)
    return experience(rows, obs, dist, log_prob, *advantages(state.values, rows, obs, next_obs, config.policy))
