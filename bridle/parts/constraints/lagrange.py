"""A multiplier by dual ascent: it rises while cost exceeds the limit, and falls to 0 while it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from bridle.core.config import check_ranges, check_types
from bridle.parts.constraints.multiplier import excess_of


class Ascent(NamedTuple):
    """Where the multipliers stand."""

    value: Float[Array, " C"]
    """The multipliers (rule `projected`), or their logarithms (rule `log`)."""
    opt: optax.OptState
    """Adam's, under the rule `log`; it is kept under the other rule too."""


@dataclass(frozen=True)
class Lagrange:
    """Dual ascent on the excess of cost (Altman 1999, chapter 11; Ray et al. 2019, appendix C)."""

    rule: Literal["projected", "log"] = "projected"
    """Plain ascent, projected to >= 0; or Adam on the logarithm, which moves by the same factor whatever the scale."""
    rate: float = 0.05
    """Step size of the ascent."""
    initial: float = 0.0
    """The first multiplier, reward a unit of cost; under the rule `log` at least 1e-3."""
    cap: float = 100.0
    """The greatest."""
    relative: bool = True
    """Count the excess as a part of the limit, 1 at most, so that one rate fits every limit."""

    def __post_init__(self):
        check_types(self)
        ranges = {
            "rate": (self.rate > 0, "a number > 0"),
            "initial": (0 <= self.initial <= self.cap, "a number in [0, cap]"),
            "cap": (self.cap > 0, "a number > 0"),
        }
        check_ranges(self, ranges)

    def init(self, constraints: int) -> Ascent:
        """Every multiplier is `initial`."""
        first = jnp.log(max(self.initial, 1e-3)) if self.rule == "log" else self.initial
        value = jnp.full(constraints, first, jnp.float32)
        return Ascent(value, self._adam().init(value))

    def update(self, state: Ascent, cost: Float[Array, " C"], limit: Float[Array, " C"]) -> Ascent:
        """One step up along the excess."""
        excess = excess_of(cost, limit, self.relative)
        if self.rule == "projected":
            return state._replace(value=jnp.clip(state.value + self.rate * excess, 0.0, self.cap))
        step, opt = self._adam().update(-excess, state.opt)
        low, high = jnp.log(1e-6), jnp.log(self.cap)
        return Ascent(jnp.clip(state.value + step, low, high), opt)

    def weight(self, state: Ascent) -> Float[Array, " C"]:
        """The multipliers."""
        return jnp.exp(state.value) if self.rule == "log" else state.value

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.rate)
