"""What the ways of pricing cost have in common: a multiplier for each limit, and how it enters a loss."""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Array, Float

from bridle.core.names import by_constraint

Kind = Literal["none", "lagrange", "pid"]
"""Cost is not heeded; a multiplier by dual ascent; a multiplier by PID control."""


@runtime_checkable
class Multiplier(Protocol):
    """A rule for the price of cost, reward a unit of cost: a frozen dataclass of settings; its state is a pytree of arrays."""

    def init(self, constraints: int) -> Any:
        """The state before any cost was seen."""
        ...

    def update(self, state: Any, cost: Float[Array, " C"], limit: Float[Array, " C"]) -> Any:
        """The state after one more measure of cost, in the limit's unit."""
        ...

    def weight(self, state: Any) -> Float[Array, " C"]:
        """The multipliers, >= 0."""
        ...


def excess_of(cost: Float[Array, " C"], limit: Float[Array, " C"], bound: float | None) -> Float[Array, " C"]:
    """cost - limit; or, with a `bound`, that as a part of the limit (of 1, where the limit is less), so that rates fit every limit.

    Such a part counts as `bound` at most, else a few dear episodes at the start raise a price that hundreds of cheap ones,
    which count as -1 each, cannot bring down.
    """
    return cost - limit if bound is None else ((cost - limit) / limit.clip(1.0)).clip(-1.0, bound)


def price(
    gain: Float[Array, "*batch"], cost: Float[Array, "*batch C"], weight: Float[Array, " C"], rescale: bool
) -> Float[Array, "*batch"]:
    """gain - weight . cost: what an actor climbs under multipliers `weight`.

    `rescale` divides it by 1 + the sum of multipliers, so that a step stays as long while the price rises (Stooke et al. 2020,
    arXiv:2007.03964, section 6; FSRL).
    """
    priced = gain - cost @ weight
    return priced / (1.0 + weight.sum()) if rescale else priced


def heed(rule: Multiplier, state: Any, cost: Float[Array, " C"], limit: Float[Array, " C"]) -> tuple[Any, Any, dict]:
    """One step of a rule on what an episode costs: its state, the multipliers, and what is told of both."""
    state = rule.update(state, cost, limit)
    weight = rule.weight(state)
    return state, weight, by_constraint("multiplier", weight) | by_constraint("episode_cost", cost)
