"""What flows: transitions, drawn data, episodes, the spec of a world, the cost limit.

One alphabet of shapes, used everywhere: `B` batch, `L` time, `N` envs, `C` constraints, `K` sampled actions, `E` members
of an ensemble, `H` plan, `O` obs, `A` action, `F` finished episodes. Observations are pytrees of arrays; actions are
float `[N A]` in [-1, 1] or int `[N]`; a cost always has a last axis `C`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

Tree = Any
"""A pytree of arrays."""


class Transition(NamedTuple):
    """One step of each env. Leaves are `[N ...]` as they are lived and `[B L ...]`, `[B ...]` or `[L N ...]` as they are drawn."""

    obs: Tree
    action: Any
    reward: Any
    """float [N], per env step."""
    cost: Any
    """float [N C], per env step."""
    next_obs: Tree
    """The true successor of `obs`, also where the episode ended with it."""
    terminated: Any
    """bool [N]: the task ended; nothing follows, so nothing is bootstrapped."""
    truncated: Any
    """bool [N]: the clock ended; values bootstrap from `next_obs`."""
    valid: Any
    """bool [N]: False on the dummy step that NEXT_STEP autoreset inserts, and on rows that are not filled yet."""
    extras: dict[str, Any]
    """What the policy noted (`log_prob`, latents) and what updates write back (`priority`)."""


class Outcome(NamedTuple):
    """What N copies of a world answer to one action each."""

    next_obs: Tree
    """The true successor, also where an episode ended: [N ...]."""
    obs: Tree
    """Where the next action is chosen; the first of a new episode where one ended: [N ...]."""
    reward: np.ndarray
    cost: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    valid: np.ndarray
    kinds: np.ndarray | None = None
    """What each of `Spec.kinds` cost, float [N K]: for logs alone."""


class Episodes(NamedTuple):
    """Finished episodes, padded to a fixed number F."""

    returns: Any
    """float [F], undiscounted."""
    cost: Any
    """float [F C], undiscounted."""
    length: Any
    """int [F], env steps."""
    valid: Any
    """bool [F]."""


class Drawn(NamedTuple):
    """What a draw hands to an update."""

    rows: Transition | Episodes
    index: Any
    """int: the ring row of each drawn transition, for what an update writes back."""
    probability: Any
    """float: with which probability each row was drawn, times the number of rows (1 under a uniform draw)."""
    step: Any
    """float []: env steps so far, summed over all copies (what schedules read)."""


class Guess(NamedTuple):
    """What a model expects of one step from each of B states."""

    next_obs: Any
    """float [B O]."""
    reward: Any
    """float [B]."""
    cost: Any
    """float [B C]."""
    terminated: Any
    """bool [B]."""
    doubt: Any
    """float [B], >= 0: how little the model trusts itself there, in a unit of its own; 0 of one that has no doubts."""


@runtime_checkable
class Step(Protocol):
    """A model of a world, learned or made by hand: a pure function that can be compiled."""

    def __call__(self, obs: Any, action: Any, key: Any) -> Guess:
        """One step from obs [B O] by action [B A]."""
        ...


@dataclass(frozen=True)
class Leaf:
    """Shape and dtype of one leaf of an observation (a leaf of `Spec.obs`)."""

    shape: tuple[int, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Continuous:
    """Actions are float `[size]` in [-1, 1]."""

    size: int


@dataclass(frozen=True)
class Discrete:
    """Actions are int in `[0, choices)`."""

    choices: int


@dataclass(frozen=True)
class Rules:
    """What is known of a world, so that no model has to learn it: pure functions of (obs [... O], action [... A], next_obs [... O]).

    They work on NumPy and on JAX arrays alike, under jit, whatever the first axes are; actions are in [-1, 1], as algorithms see
    them. What is None is learned. `bridle.envs.rules.check_rules` says what is wrong with one.
    """

    reward: Callable | None = None
    """float [...]"""
    cost: Callable | None = None
    """float [... C]"""
    terminated: Callable | None = None
    """bool [...]"""


@dataclass(frozen=True)
class Spec:
    """What an algorithm may know of its world."""

    name: str
    obs: Tree
    """A pytree with `Leaf` leaves."""
    action: Continuous | Discrete
    num_envs: int = 1
    horizon: int | None = None
    """Env steps after which an episode is truncated; None if unknown."""
    constraints: tuple[str, ...] = ("cost",)
    """Name of each constraint; empty where the world tells no cost."""
    notes: tuple[tuple[str, str], ...] = ()
    """What stands in the run folder and in every table about this world, such as `("dialect", "fsrl")`."""
    kinds: tuple[str, ...] = ()
    """Kinds of cost that the world also tells apart, such as `hazards`."""
    rules: Rules | None = field(default=None, compare=False, repr=False)
    """Functions, so they are neither compared nor saved: a run that goes on has them from the world that it makes again."""


UNITS = ("horizon", "infinite", "calibrated")


@dataclass(frozen=True)
class CostLimit:
    """The limit of each constraint: the expected undiscounted sum of its cost over one episode, and its schedule.

    An episode that ends early counts its own sum. `schedule` moves the limit from `start` to `limit` over the first
    `steps` env steps: `linear` (FSRL), or `exponential` with rate 5 / steps (Liu et al. 2022, code). What learning aims at
    is read through `at`; evaluations are judged by `limit`.
    """

    limit: tuple[float, ...]
    start: tuple[float, ...] | None = None
    schedule: str = "constant"
    steps: int = 0

    def in_words(self) -> str:
        """Such as `10`, `3, 4`, or `20 -> 10 over 100,000 steps (linear)`."""
        numbers = lambda values: ", ".join(f"{x:g}" for x in values)
        if self.schedule == "constant" or self.start is None:
            return numbers(self.limit)
        return f"{numbers(self.start)} -> {numbers(self.limit)} over {self.steps:,} steps ({self.schedule})"

    def at(self, step):
        """Limit of each constraint at `step` env steps: float [C]; works on NumPy and on traced JAX values."""
        import jax.numpy as jnp

        end = jnp.asarray(self.limit, jnp.float32)
        if self.schedule == "constant" or self.start is None or self.steps <= 0:
            return end
        begin = jnp.asarray(self.start, jnp.float32)
        done = jnp.clip(step / self.steps, 0.0, 1.0)
        left = 1.0 - done if self.schedule == "linear" else jnp.where(done < 1.0, jnp.exp(-5.0 * done), 0.0)
        return end + (begin - end) * left

    def discounted(self, step, discount: float, horizon: int | None, unit: str = "infinite", measured=None):
        """The limit at `step` in the unit of a critic of discounted cost, float [C]: the one place of this conversion.

        - `horizon`: limit (1 - discount^T) / (1 - discount) / T, the cost spread evenly over T steps and summed from
          the first one (Liu et al. 2022, arXiv:2201.11927, appendix B.1);
        - `infinite`: limit / T / (1 - discount), what a critic holds that bootstraps at the time limit;
        - `calibrated`: what the critic now says of the policy plus the infinite unit of how far the cost of an episode
          lies below the limit; `measured` is (critic's mean [C], cost of an episode [C]). By the policy
          improvement theorem the two move together, and the critic's bias and replay's staleness drop out
          (Achiam et al. 2017, arXiv:1705.10528, eq. 10). Without `measured` it is the infinite one.
        """
        if horizon is None:
            raise ValueError(
                "an episode's cost limit is turned into a limit on discounted cost by the horizon, and this environment "
                "tells none, nor did random steps meet the end of an episode; pass --horizon T, or wrap it in a TimeLimit"
            )
        if unit not in UNITS:
            raise ValueError(f"unit = {unit!r}; allowed: {', '.join(UNITS)}")
        even = (1 - discount**horizon if unit == "horizon" else 1.0) / (1 - discount) / horizon
        if unit == "calibrated" and measured is not None:
            in_critic, in_episodes = measured
            return in_critic + (self.at(step) - in_episodes) * even
        return self.at(step) * even


class World(Protocol):
    """N copies of one environment in one shape. `envs/` makes them, `run/` drives them, neither imports the other.

    A copy whose episode ends begins the next by itself; episode k of a copy depends on its seed and k alone.
    """

    spec: Spec

    def reset(self, seeds: np.ndarray) -> Tree:
        """Begin episode 0 of every copy from its own seed (int64 [N]); the first observations [N ...]."""
        ...

    def step(self, action: np.ndarray) -> Outcome:
        """One step of every copy."""
        ...

    def get_state(self) -> dict[str, np.ndarray] | None:
        """Everything that the next steps depend on, as named arrays; None if this world cannot tell."""
        ...

    def set_state(self, state: dict[str, np.ndarray]) -> Tree:
        """Go back to what `get_state` told; the observations [N ...] there."""
        ...

    def render(self, index: int = 0) -> np.ndarray:
        """Copy `index` as a picture, uint8 [height width 3]."""
        ...

    def close(self) -> None:
        """Free what the world holds."""
        ...
