"""Imagination: a policy lives in a model, from many starts at once, for as long as it is asked to or as far as it trusts itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from bridle.core.types import Step, Transition


class Imagined(NamedTuple):
    """B paths side by side, or B rows of paths where others follow those that ended."""

    rows: Transition
    """Leaves [L B ...]. `valid` tells the steps of a path; `truncated` its last, unless it terminated."""
    doubt: Float[Array, "L B"]
    """Of each step, 0 where there is none."""
    age: Int[Array, "L B"]
    """Steps of its path before this one."""

    @property
    def horizon(self) -> Int[Array, " B"]:
        """Steps of each path, where none followed another."""
        return self.rows.valid.sum(0, dtype=jnp.int32)

    @property
    def path_doubt(self) -> Float[Array, " B"]:
        """Of each path, all its steps together, where none followed another."""
        return self.doubt.sum(0)

    @property
    def mean_doubt(self) -> Float[Array, ""]:
        """Of a step."""
        return self.doubt.sum() / jnp.maximum(self.rows.valid.sum(), 1)


class _Path(NamedTuple):
    obs: Float[Array, "B O"]
    alive: Array
    doubt: Float[Array, " B"]
    """So far."""
    age: Int[Array, " B"]
    """Steps so far."""
    total: Int[Array, ""]
    """Steps of all paths so far."""


def imagine(
    step: Step,
    act: Callable,
    starts: Float[Array, "B O"],
    length: int | Int[Array, ""],
    key,
    *,
    budget: float | Float[Array, ""] | None = None,
    cap: int | None = None,
    again: Callable | None = None,
    enough: int | Int[Array, ""] | None = None,
) -> Imagined:
    """Live `length` steps from each start: `act(obs [B O], key) -> action, extras`, then `step`, one scan over `cap` steps.

    `length` may be traced where `cap`, by default the same, is told. A path ends after a termination. With a `budget` it
    also ends before the step by which its doubt would reach that: this step is dropped, and the path is truncated where it
    stands (Zanger et al. 2021, arXiv:2104.06922), so that values bootstrap from there. With `again(key) -> [B O]` a new path
    begins where one ended, until the scan does, or there are `enough` steps together.
    """
    most = int(length) if cap is None else cap

    def one(path: _Path, item):
        begin_key, key = jax.random.split(item)
        if again is not None:
            path = _fresh(path, again(begin_key), length)
        return _lived(path, step, act, key, length, budget)

    def nothing(path: _Path, item):
        shape = jax.eval_shape(one, path, item)[1]
        return path, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)

    def maybe(path: _Path, item):
        goes_on = (path.alive & (path.age < length)).any() | (again is not None)
        if enough is not None:
            goes_on &= path.total < enough
        return jax.lax.cond(goes_on, one, nothing, path, item)

    size, none = starts.shape[0], jnp.zeros((), jnp.int32)
    begin = _Path(starts, jnp.ones(size, jnp.bool_), jnp.zeros(size), jnp.zeros(size, jnp.int32), none)
    _, (rows, doubt, age) = jax.lax.scan(maybe, begin, jax.random.split(key, most))
    follows = jnp.concatenate([rows.valid[1:] & (age[1:] > 0), jnp.zeros((1, size), jnp.bool_)])
    return Imagined(rows._replace(truncated=rows.valid & ~follows & ~rows.terminated), doubt, age)


def imagine_copies(step: Step, act: Callable, starts: Float[Array, "B O"], members: int, length: int, key) -> Imagined:
    """`length` steps from each start, as each of E `members` sees them: leaves [L E B ...]. `step` takes [E B ...] laid flat, member by
    member; every copy of a path has the same draws of the policy."""
    size = len(starts)

    def alike(obs, key):
        found = jax.vmap(lambda obs: act(obs, key))(obs.reshape(members, size, -1))
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)

    lived = imagine(step, alike, jnp.tile(starts, (members, 1)), length, key)
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0], members, size, *leaf.shape[2:]), lived)


def _fresh(path: _Path, starts: Float[Array, "B O"], length) -> _Path:
    """New paths where the old ones are over."""
    over = ~path.alive | (path.age >= length)
    return path._replace(
        obs=jnp.where(over[:, None], starts, path.obs),
        alive=jnp.ones_like(path.alive),
        doubt=jnp.where(over, 0.0, path.doubt),
        age=jnp.where(over, 0, path.age),
    )


def _lived(path: _Path, step: Step, act: Callable, key, length, budget):
    """One step of every path, and its row."""
    k_act, k_step = jax.random.split(key)
    action, extras = act(path.obs, k_act)
    guess = step(path.obs, action, k_step)
    kept = path.alive & (path.age < length)
    if budget is not None:
        kept &= path.doubt + guess.doubt < budget  # a doubt that is not finite ends a path too
    terminated = guess.terminated & kept
    row = Transition(
        obs=path.obs,
        action=action,
        reward=jnp.where(kept, guess.reward, 0.0),
        cost=jnp.where(kept[:, None], guess.cost, 0.0),
        next_obs=jnp.where(kept[:, None], guess.next_obs, path.obs),
        terminated=terminated,
        truncated=jnp.zeros_like(kept),
        valid=kept,
        extras=extras,
    )
    doubt = jnp.where(kept, guess.doubt, 0.0)
    total = path.total + kept.sum(dtype=jnp.int32)
    after = _Path(row.next_obs, kept & ~terminated, path.doubt + doubt, path.age + kept, total)
    return after, (row, doubt, path.age)


def horizons(imagined: Imagined) -> dict[str, Float[Array, ""]]:
    """Metrics of how many steps paths had: their mean `horizon`, and `horizon_q0` to `horizon_q4`, least, quartiles and greatest."""
    ends = imagined.rows.truncated | imagined.rows.terminated
    lengths = jnp.where(ends, imagined.age + 1.0, jnp.nan)
    quartiles = jnp.nan_to_num(jnp.nanquantile(lengths, jnp.asarray([0.0, 0.25, 0.5, 0.75, 1.0])))
    told = {"horizon": jnp.nan_to_num(jnp.nanmean(lengths))}
    return told | {f"horizon_q{k}": quartiles[k] for k in range(5)}


def horizon_at(epoch, schedule: tuple[int, int, int, int]) -> Int[Array, ""]:
    """The length of paths at an epoch, by (first epoch, last epoch, first length, last length): linear between them, whole steps
    alone, flat outside (Janner et al. 2019, arXiv:1906.08253, appendix); a path of length 1 has one step."""
    begin, end, first, last = schedule
    epoch = jnp.asarray(epoch, jnp.int32)
    between = first + (last - first) * (jnp.clip(epoch, begin, end) - begin) // max(1, end - begin)
    return jnp.where(epoch <= begin, first, jnp.where(epoch >= end, last, between)).astype(jnp.int32)
