"""A multiplier by dual ascent: it rises while cost exceeds the limit, and falls to 0 while it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from bridle.core.config import check_ranges, check_types
from bridle.parts.constraints.multiplier import excess_of


class Ascent(NamedTuple):
    """Where the multipliers stand."""

    value: Float[Array, " C"]
    """The multipliers (rule `projected`), their logarithms (`log`), or their shares (`share`)."""
    count: Int[Array, ""]
    """Steps so far."""
    opt: optax.OptState
    """Adam's, under the rule `log`; it is kept under the other rule too."""


@dataclass(frozen=True)
class Lagrange:
    """Dual ascent on the excess of cost (Altman 1999, chapter 11; Ray et al. 2019, appendix C)."""

    rule: Literal["projected", "log", "share"] = "projected"
    """What rises: the multiplier, projected to >= 0; its logarithm, by Adam, which moves by the same factor whatever the scale;
    or its share of the price, multiplier / (1 + multiplier), which comes down from a great price as fast as it rose."""
    rate: float = 0.05
    """Step size of the ascent."""
    decay: float = 0.005
    """How the step size falls: rate / (1 + decay * steps so far). Great steps find the price, small ones keep cost from swinging."""
    initial: float = 0.0
    """The first multiplier, reward a unit of cost; under the rule `log` at least 1e-3."""
    cap: float = 100.0
    """The greatest."""
    relative: bool = True
    """Count the excess as a part of the limit, so that one rate fits every limit."""
    bound: float = 1.0
    """Such a part counts as so much at most. Below the limit it is never less than -1, so where costs swing widely a low bound
    lets their mean exceed the limit, and a high one lets a dear start drive the price up."""

    def __post_init__(self):
        check_types(self)
        ranges = {
            "rate": (self.rate > 0, "a number > 0"),
            "decay": (self.decay >= 0, "a number >= 0"),
            "initial": (0 <= self.initial <= self.cap, "a number in [0, cap]"),
            "cap": (self.cap > 0, "a number > 0"),
            "bound": (self.bound > 0, "a number > 0"),
        }
        check_ranges(self, ranges)

    def init(self, constraints: int) -> Ascent:
        """Every multiplier is `initial`."""
        first = {
            "projected": self.initial,
            "log": math.log(max(self.initial, 1e-3)),
            "share": self.initial / (1.0 + self.initial),
        }
        value = jnp.full(constraints, first[self.rule], jnp.float32)
        return Ascent(value, jnp.zeros((), jnp.int32), optax.scale_by_adam().init(value))

    def update(self, state: Ascent, cost: Float[Array, " C"], limit: Float[Array, " C"]) -> Ascent:
        """One step up along the excess."""
        excess = excess_of(cost, limit, self.bound if self.relative else None)
        rate = self.rate / (1.0 + self.decay * state.count)
        if self.rule != "log":
            highest = self.cap if self.rule == "projected" else self.cap / (1.0 + self.cap)
            return Ascent(jnp.clip(state.value + rate * excess, 0.0, highest), state.count + 1, state.opt)
        step, opt = optax.scale_by_adam().update(excess, state.opt)
        low, high = jnp.log(1e-6), jnp.log(self.cap)
        return Ascent(jnp.clip(state.value + rate * step, low, high), state.count + 1, opt)

    def weight(self, state: Ascent) -> Float[Array, " C"]:
        """The multipliers."""
        if self.rule == "share":
            return state.value / (1.0 - state.value)
        return jnp.exp(state.value) if self.rule == "log" else state.value
