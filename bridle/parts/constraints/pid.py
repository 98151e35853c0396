"""A multiplier by PID control: dual ascent is its integral; a proportional and a derivative term damp the swing.

Stooke et al. 2020 (arXiv:2007.03964), algorithm 2, with the guards that published codes lack: the integral is bounded (anti-windup),
and the signals of the proportional and the derivative term can be smoothed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from bridle.core.config import check_ranges, check_types
from bridle.parts.constraints.multiplier import excess_of


class Control(NamedTuple):
    """Where the controller stands, each [C]."""

    integral: Float[Array, " C"]
    """Sum of excesses, >= 0."""
    smooth: Float[Array, " C"]
    """Running mean of the excess, which the proportional term reads."""
    slow: Float[Array, " C"]
    """Running mean of the excess, whose rise the derivative term reads."""
    weight: Float[Array, " C"]
    """The multipliers."""
    begun: Bool[Array, ""]
    """Was any cost seen?"""


@dataclass(frozen=True)
class PID:
    """PID control of the multiplier."""

    kp: float = 0.5
    """Gain of the excess: reward a unit of cost, for each unit of excess."""
    ki: float = 0.02
    """Gain of its sum."""
    kd: float = 0.2
    """Gain of its rise."""
    smoothing: float = 0.5
    """The part of the running mean behind the proportional term that stays at each update; 0 takes the newest excess."""
    slowness: float = 0.8
    """The same of the running mean behind the derivative term; 0 takes the difference of the last two."""
    signed: bool = False
    """Let the proportional term go below 0 too, as in Stooke et al. 2020; cvpo-safe-rl and FSRL cut it at 0."""
    cap: float = 100.0
    """The greatest multiplier; the integral term alone never exceeds it either."""
    relative: bool = True
    """Count the excess as a part of the limit, so that the same gains fit every limit."""
    bound: float = 1.0
    """Such a part counts as so much at most (see `Lagrange`)."""

    def __post_init__(self):
        check_types(self)
        ranges = {name: (getattr(self, name) >= 0, "a number >= 0") for name in ("kp", "ki", "kd")}
        ranges |= {name: (0 <= getattr(self, name) < 1, "a number in [0, 1)") for name in ("smoothing", "slowness")}
        ranges |= {name: (getattr(self, name) > 0, "a number > 0") for name in ("cap", "bound")}
        check_ranges(self, ranges)

    def init(self, constraints: int) -> Control:
        """No excess seen, no price."""
        zeros = jnp.zeros(constraints)
        return Control(zeros, zeros, zeros, zeros, jnp.zeros((), bool))

    def update(self, state: Control, cost: Float[Array, " C"], limit: Float[Array, " C"]) -> Control:
        """weight = kp P + ki I + kd D, cut to [0, cap]."""
        excess = excess_of(cost, limit, self.bound if self.relative else None)
        first = ~state.begun
        blend = lambda old, keep: jnp.where(first, excess, keep * old + (1.0 - keep) * excess)
        smooth, slow = blend(state.smooth, self.smoothing), blend(state.slow, self.slowness)
        rise = jnp.where(first, 0.0, jnp.maximum(slow - state.slow, 0.0))
        full = self.cap / self.ki if self.ki > 0 else jnp.inf
        integral = jnp.clip(state.integral + excess, 0.0, full)
        proportional = smooth if self.signed else jnp.maximum(smooth, 0.0)
        weight = self.kp * proportional + self.ki * integral + self.kd * rise
        return Control(integral, smooth, slow, jnp.clip(weight, 0.0, self.cap), jnp.ones((), bool))

    def weight(self, state: Control) -> Float[Array, " C"]:
        """The multipliers."""
        return state.weight
