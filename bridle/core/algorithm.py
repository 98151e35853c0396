"""The contract: an algorithm is a value of pure functions that names its own schedule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Batch:
    """`size` transitions at random, leaves [B ...]; rows are drawn in proportion to the column `by` where it is named."""

    size: int
    by: str | None = None


@dataclass(frozen=True)
class Sequences:
    """`size` stretches of `length` consecutive rows of one env each, leaves [B L ...]; they may run across an episode's end."""

    size: int
    length: int


@dataclass(frozen=True)
class Latest:
    """The last `length` rows of every env, oldest first, leaves [L N ...]; none from before a run lost its open episodes."""

    length: int


@dataclass(frozen=True)
class Everything:
    """The whole ring, leaves [L N ...]; `valid` tells the rows that are filled."""


@dataclass(frozen=True)
class Finished:
    """The last `size` (at most) episodes that finished since this update last ran, as `Episodes`."""

    size: int


Draw = Batch | Sequences | Latest | Everything | Finished


class Update(NamedTuple):
    """One kind of learning step and when it is due. Times are env steps summed over all copies (offline: turns)."""

    name: str
    """Prefixes its metrics."""
    draw: Draw
    step: Callable[[Any, Any, Any], tuple[Any, dict, dict]]
    """(state, data: Drawn, key) -> (state, metrics, writes); pure. `writes` maps a ring column to new values of the drawn rows."""
    every: int | Callable[[Any], Any] = 1
    """Env steps between two runs; a callable reads scalar leaves of State at the end of each run."""
    start: int = 0
    """No run before this many env steps."""
    until: int | None = None
    """No run after this many."""
    times: int = 1
    """Draws and steps in one run, drawn at once and scanned inside one jit."""
    gradient: bool = True
    """Does it step networks? Then its steps count as gradient steps: in `time/updates_per_s`, and on that axis of pictures."""


class Algorithm(NamedTuple):
    """A value of pure functions; the loop has no branch on any family."""

    init: Callable[[Any], Any]
    """(key) -> State; every leaf an array."""
    actor: Callable[[Any], Any]
    """(state) -> Actor: the leaves that acting needs; the loop copies them out of what updates donate."""
    begin: Callable[[int], Any]
    """(num_envs) -> Carry of fresh episodes, leaves [N ...]; () for a policy without memory."""
    act: Callable[..., tuple[Any, Any, dict]]
    """(actor, carry, obs [N ...], key, explore: bool) -> carry, action (float [N A] in [-1, 1] or int [N]), extras."""
    updates: tuple[Update, ...]
    memory: int
    """Env steps that replay must hold, summed over all copies."""
    warmup: int = 0
    """Env steps of uniformly random actions at the start."""
    overlap: bool = True
    """May the next env steps run while an update is computing?"""
    sampled: bool = False
    """Does evaluation sample actions (on-policy) instead of taking the policy's mean (off-policy)?"""
    columns: tuple[tuple[str, float], ...] = ()
    """Ring columns that updates write back, float32 scalars a row, and what a fresh row holds."""
    about: tuple[str, ...] = ()
    """Lines to print at the start of a run: every conversion of a unit of cost."""
