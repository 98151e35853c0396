"""Fitting the ensemble: epochs over rows of each member's own draw, until hold-out rows say that nothing improves; one compiled call.

A fit follows Janner et al. 2019 (arXiv:1906.08253, code): bootstrap draws, early stopping, every member's best weights taken
back. What is ours: the hold-out rows are the same at every fit, and the weights that a fit begins with count as its first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from bridle.core.types import Transition
from bridle.maths.moments import Moments, no_moments, see
from bridle.nets.ensemble import forward, together
from bridle.parts.dynamics.losses import crossed, grown, loss_of
from bridle.parts.dynamics.model import Dynamics, Model, Params, scale_of, split

BLOCK = 512
"""Hold-out rows that are judged at once."""


class Table(NamedTuple):
    """What a fit reads: standardised inputs beside targets and aims of logits, and which rows are whose."""

    columns: Float[Array, "R W"]
    inputs: int
    """How many columns are inputs."""
    draws: Any
    """Rows of each member: int [E R], of which the first `count` are used."""
    count: Any
    judges: Any
    """Hold-out rows: int [J], of which the first `judging` are used."""
    judging: Any


class Progress(NamedTuple):
    """Where a fit stands between two epochs."""

    params: Params
    """Members apart, as is everything like them here."""
    opt: Any
    best: list
    """Every member at its best so far."""
    bounds: tuple
    """`high` and `low` at the last epoch in which any member was at its best."""
    error: Float[Array, "E D"]
    lowest: Float[Array, " E"]
    """Hold-out losses of these."""
    mark: Float[Array, " E"]
    """The hold-out loss below which an improvement counts."""
    now: Float[Array, " E"]
    """Of the last epoch."""
    loss: Float[Array, ""]
    """Mean training loss of a member, over the last epoch."""
    waited: Any
    """Epochs without an improvement that counts."""
    epochs: Any
    updates: Any


def fit(
    state: Model,
    rows: Transition,
    valid: Bool[Array, " R"],
    held: Bool[Array, " R"],
    key,
    config: Dynamics,
    most: int | Int[Array, ""] | None = None,
) -> tuple[Model, dict]:
    """Train on the rows that are `valid` and not `held`, leaves of `rows` [R ...]; judge by those that are held (by all, if none is).

    `most`, which may be traced, takes the place of `max_updates`.

    Metrics: `holdout_loss` (mean of the elites' best), `last_loss` (of all members at the last epoch: not finite where they
    diverged), `loss`, `epochs`, `updates`, `rows`.
    """
    k_draw, k_epochs = jax.random.split(key)
    state, table = tabled(state, rows, valid, held, k_draw, config)
    first = begun(state, table, config)
    most = (config.max_updates or None) if most is None else most
    epoch = lambda progress: after_epoch(progress, table, jax.random.fold_in(k_epochs, progress.epochs), most, config)
    last = jax.lax.while_loop(lambda progress: goes_on(progress, most, config), epoch, first)
    elites = jnp.argsort(last.lowest)[: config.elites].astype(jnp.int32)
    state = state._replace(
        params=Params(together(last.best), *last.bounds),
        opt=joined(last.opt),
        error=last.error,
        holdout_loss=last.lowest,
        elites=elites,
        fits=state.fits + 1,
        updates=state.updates + last.updates,
    )
    counts = {"epochs": last.epochs, "updates": last.updates, "rows": table.count}
    losses = {"holdout_loss": last.lowest[elites].mean(), "last_loss": last.now.mean(), "loss": last.loss}
    return state, losses | {name: count.astype(jnp.float32) for name, count in counts.items()}


def tabled(state: Model, rows: Transition, valid, held, key, config: Dynamics) -> tuple[Model, Table]:
    """The rows as a fit reads them, and the state with their moments."""
    train = valid & ~held
    judged = jnp.where((valid & held).any(), valid & held, valid)
    inputs = jnp.concatenate([rows.obs, rows.action], -1)
    parts = [rows.next_obs - rows.obs, rows.reward[:, None]] + ([rows.cost] if config.learn_cost == "real" else [])
    targets = jnp.concatenate(parts, -1)
    aims = [jnp.clip(rows.cost, 0.0, 1.0)] if config.learn_cost == "binary" else []
    aims += [rows.terminated[:, None].astype(jnp.float32)] if config.learn_termination else []
    state = state._replace(inputs=moments_of(inputs, train), outputs=moments_of(targets, train))
    standard = lambda x, moments, asked: (x - scale_of(moments, asked)[0]) / scale_of(moments, asked)[1]
    columns = [standard(inputs, state.inputs, config.scale_in), standard(targets, state.outputs, config.scale_out)]
    count, size = jnp.maximum(train.sum(), 1), train.shape[0]
    chosen = (jax.random.uniform(key, (config.members, size)) * count).astype(jnp.int32)  # a bootstrap draw of each
    places = jnp.nonzero(train, size=size, fill_value=0)[0].astype(jnp.int32)
    draws = places[jnp.minimum(chosen, count - 1)]
    most = min(size, -(-config.max_holdout // BLOCK) * BLOCK)
    judges = jnp.nonzero(judged, size=most, fill_value=0)[0].astype(jnp.int32)
    judging = jnp.minimum(judged.sum(), most)
    return state, Table(jnp.concatenate(columns + aims, -1), inputs.shape[1], draws, count, judges, judging)


def moments_of(rows: Float[Array, "R O"], counts: Bool[Array, " R"]) -> Moments:
    """Exact moments of the rows that count: all anew, so that no row counts twice however often the ensemble is fitted."""
    rows = jnp.where(counts[:, None], rows, 0.0)  # what is not filled may hold anything
    return see(no_moments(rows.shape[1]), rows, counts.astype(jnp.float32))


def begun(state: Model, table: Table, config: Dynamics) -> Progress:
    """Before the first epoch: members as they are, which may be the best that there will be."""
    params, none = apart(state.params), jnp.zeros((), jnp.int32)
    error, now = judged_by(params, table, config)
    return Progress(
        params=params,
        opt=parted(state.opt),
        best=params.members,
        bounds=(params.high, params.low),
        error=error,
        lowest=now,
        mark=now,
        now=now,
        loss=jnp.zeros(()),
        waited=none,
        epochs=none,
        updates=none,
    )


def goes_on(progress: Progress, most, config: Dynamics):
    """Has the fit a further epoch?"""
    more = (progress.waited < config.patience) & jnp.isfinite(progress.now).all()
    if config.max_epochs:
        more &= progress.epochs < config.max_epochs
    if most is not None:
        more &= progress.updates < most
    return more


def after_epoch(progress: Progress, table: Table, key, most, config: Dynamics) -> Progress:
    """One pass of every member over its rows; then hold-out rows judge."""
    batches = -(-table.count // config.batch)
    if most is not None:
        batches = jnp.minimum(batches, most - progress.updates)
    params, opt, loss = trained(progress.params, progress.opt, table, batches, key, config)
    error, now = judged_by(params, table, config)
    better = now < progress.lowest
    best = [
        jax.tree.map(lambda new, old, e=e: jnp.where(better[e], new, old), *pair)
        for e, pair in enumerate(zip(params.members, progress.best, strict=True))
    ]
    bounds = jax.tree.map(
        lambda new, old: jnp.where(better.any(), new, old), (params.high, params.low), progress.bounds
    )
    counts = now < progress.mark * (1.0 - config.improvement)
    return Progress(
        params=params,
        opt=opt,
        best=best,
        bounds=bounds,
        error=jnp.where(better[:, None], error, progress.error),
        lowest=jnp.where(better, now, progress.lowest),
        mark=jnp.where(counts, now, progress.mark),
        now=now,
        loss=loss,
        waited=jnp.where(counts.any(), 0, progress.waited + 1),
        epochs=progress.epochs + 1,
        updates=progress.updates + batches.astype(jnp.int32),
    )


def trained(params: Params, opt, table: Table, batches, key, config: Dynamics):
    """So many gradient steps, through a permutation of each member's rows: parameters, optimiser, mean loss of a member."""
    k_begin, k_stride = jax.random.split(key)
    begin = jax.random.randint(k_begin, (config.members, 1), 0, table.count)
    stride = coprime(k_stride, config.members, table.count)[:, None]
    offsets, leap = multiples(stride, config.batch, table.count)
    tx, i = optax.adam(config.rate), table.inputs

    def one(_, carry):
        params, opt, at, total = carry
        index = jnp.take_along_axis(table.draws, (at + offsets) % table.count, 1)
        batch = table.columns[index]
        loss, slopes = jax.value_and_grad(loss_of)(params, batch[..., :i], batch[..., i:], config)
        decayed = zip(slopes.members, grown(params, config), strict=True)
        members = [together_with(slope, more) for slope, more in decayed]
        steps, opt = tx.update(slopes._replace(members=members), opt)
        return optax.apply_updates(params, steps), opt, (at + leap) % table.count, total + loss

    params, opt, _, total = jax.lax.fori_loop(0, batches, one, (params, opt, begin, jnp.zeros(())))
    return params, opt, total / jnp.maximum(batches, 1) / config.members


def together_with(slope, more: tuple):
    """A member's gradient with that of its decay."""
    weights = tuple(g + d for g, d in zip(slope.weights, more, strict=True))
    return jax.tree.unflatten(jax.tree.structure(slope), [*weights, *slope.biases])


def coprime(key, size: int, count):
    """`size` numbers in [1, count) that share no divisor with `count`: steps of such a length visit every place once."""
    tries = jax.random.randint(key, (size, 64), 1, jnp.maximum(count, 2))
    fits = jnp.gcd(tries, count) == 1
    return jnp.where(fits.any(1), jnp.take_along_axis(tries, fits.argmax(1)[:, None], 1)[:, 0], 1)


def multiples(stride, size: int, count):
    """0, stride, 2 stride ... modulo `count`, [E size], and `size` strides [E 1]: by doubling, since products overflow int32."""
    found, step, leap, left = jnp.zeros_like(stride), stride % count, jnp.zeros_like(stride), size
    while left:
        leap = (leap + step * (left & 1)) % count
        if found.shape[1] < size:
            found = jnp.concatenate([found, (found + step) % count], 1)
        left, step = left >> 1, (step * 2) % count
    return found[:, :size], leap


def judged_by(params: Params, table: Table, config: Dynamics):
    """Mean squared errors [E D] and losses [E] of members apart on the hold-out rows: variances do not count (as in MBPO)."""
    d, i = params.high.shape[0], table.inputs
    size = table.judges.shape[0]

    def block(number, sums):
        place = number * BLOCK + jnp.arange(BLOCK)
        batch = table.columns[table.judges[jnp.minimum(place, size - 1)]]
        weight = (place < table.judging).astype(jnp.float32)
        heads = [split(forward(one, batch[:, :i]), params, config) for one in params.members]
        errors = jnp.stack([weight @ (h.mean - batch[:, i : i + d]) ** 2 for h in heads])
        entropy = jnp.stack([weight @ crossed(h, batch[:, i + d :]).sum(-1) for h in heads])
        return sums[0] + errors, sums[1] + entropy

    none = jnp.zeros((len(params.members), d)), jnp.zeros(len(params.members))
    error, entropy = jax.lax.fori_loop(0, -(-table.judging // BLOCK), block, none)
    count = jnp.maximum(table.judging, 1)
    return error / count, error.mean(1) / count + entropy / count


def apart(params: Params) -> Params:
    """With its members apart: their gradients then need not be put together at every step."""
    return params._replace(members=params.members.apart())


def parted(opt):
    """An optimiser's state likewise."""
    return jax.tree.map(lambda x: apart(x) if isinstance(x, Params) else x, opt, is_leaf=is_params)


def joined(opt):
    """The same put together again."""
    whole = lambda x: x._replace(members=together(x.members)) if isinstance(x, Params) else x
    return jax.tree.map(whole, opt, is_leaf=is_params)


def is_params(x) -> bool:
    """Is it like the parameters?"""
    return isinstance(x, Params)
