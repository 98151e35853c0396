"""Actors: networks that yield a policy's distribution over actions."""

from __future__ import annotations

import math
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bridle.maths.gaussian import Gaussian, sample
from bridle.nets.mlp import MLP

Head = Literal["squashed", "diagonal", "full"]
Squash = Literal["clipped", "tanh"]
MIN_STD = 1e-4
"""Keeps every standard deviation above this, in units of the action before squashing."""


class GaussianActor(eqx.Module):
    """obs [... O] -> Gaussian over pre-actions; `to_action` maps a pre-action into [-1, 1].

    `full` and `diagonal`: the mean lies inside (-1, 1) and a sample is clipped. `squashed`: diagonal, and a sample goes
    through tanh. KL divergences are those of the pre-actions: tanh is a bijection and leaves them as they are.
    """

    net: MLP
    head: Head = eqx.field(static=True)
    size: int = eqx.field(static=True)
    initial_std: float = eqx.field(static=True)

    def __init__(self, key, obs: int, action: int, hidden: tuple[int, ...], head: Head, initial_std: float, activation):
        scales = action * (action + 1) // 2 if head == "full" else action
        self.net = MLP(key, (obs, *hidden, action + scales), activation, last_scale=0.01)
        self.head, self.size, self.initial_std = head, action, initial_std

    def __call__(self, obs: Float[Array, "... O"]) -> Gaussian:
        out = self.net(obs)
        mean, raw = out[..., : self.size], out[..., self.size :]
        mean = 3.0 * jnp.tanh(mean / 3.0) if self.head == "squashed" else jnp.tanh(mean)
        shift = jnp.log(jnp.expm1(self.initial_std))
        if self.head != "full":
            return Gaussian(mean, jax.nn.softplus(raw + shift) + MIN_STD)
        rows, columns = jnp.tril_indices(self.size)
        entries = jnp.where(rows == columns, jax.nn.softplus(raw + shift) + MIN_STD, raw)
        chol = jnp.zeros((*raw.shape[:-1], self.size, self.size)).at[..., rows, columns].set(entries)
        return Gaussian(mean, chol)

    def to_action(self, pre_action: Float[Array, "*batch A"]) -> Float[Array, "*batch A"]:
        """What the env executes and the critics see."""
        return jnp.tanh(pre_action) if self.head == "squashed" else jnp.clip(pre_action, -1.0, 1.0)

    def act(self, obs: Float[Array, "*batch O"], key, explore: bool) -> Float[Array, "*batch A"]:
        """Sampled (`explore`) or mean action, in [-1, 1]."""
        dist = self(obs)
        return self.to_action(sample(dist, key) if explore else dist.mean)


@jax.custom_vjp
def clipped(x: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """`x`, cut to [-1, 1]; the gradient of a loss goes through it, but where it would push `x` further out.

    So an action at its bound comes back as soon as its critic asks for that, which it hardly does through a tanh, whose slope is
    gone there (compare Hausknecht and Stone 2016, arXiv:1511.04143, section 5.3, whose gradients fade towards the bound).
    """
    return jnp.clip(x, -1.0, 1.0)


def _clipped_back(x, grad):
    outwards = ((x >= 1.0) & (grad < 0.0)) | ((x <= -1.0) & (grad > 0.0))  # a loss is descended
    return (jnp.where(outwards, 0.0, grad),)


clipped.defvjp(lambda x: (clipped(x), x), _clipped_back)


class DeterministicActor(eqx.Module):
    """obs [... O] -> action [... A] in [-1, 1], by `clipped` or by tanh."""

    net: MLP
    squash: str = eqx.field(static=True)

    def __init__(
        self,
        key,
        obs: int,
        action: int,
        hidden: tuple[int, ...],
        activation="relu",
        squash: Squash = "tanh",
    ):
        self.net = MLP(key, (obs, *hidden, action), activation, last_scale=0.01)
        self.squash = squash

    def __call__(self, obs: Float[Array, "*batch O"]) -> Float[Array, "*batch A"]:
        return jnp.tanh(self.net(obs)) if self.squash == "tanh" else clipped(self.net(obs))

    def noisy(
        self, obs: Float[Array, "*batch O"], key, std: float, bound: float | None = None
    ) -> Float[Array, "*batch A"]:
        """The action with Gaussian noise, itself cut to +-`bound`, inside [-1, 1]."""
        action = self(obs)
        noise = std * jax.random.normal(key, action.shape)
        return jnp.clip(action + (noise if bound is None else jnp.clip(noise, -bound, bound)), -1.0, 1.0)


class PlainActor(eqx.Module):
    """obs [... O] -> diagonal Gaussian over pre-actions whose deviation no state changes; a sample is clipped to [-1, 1].

    The mean is not squashed. Probabilities are those of pre-actions, so that clipping, which the env sees alone, changes none.
    """

    net: MLP
    log_std: Float[Array, " A"]

    def __init__(self, key, obs: int, action: int, hidden: tuple[int, ...], initial_std: float, activation="tanh"):
        self.net = MLP(key, (obs, *hidden, action), activation, last_scale=0.01)
        self.log_std = jnp.full(action, math.log(initial_std), jnp.float32)

    def __call__(self, obs: Float[Array, "*batch O"]) -> Gaussian:
        mean = self.net(obs)
        return Gaussian(mean, jnp.broadcast_to(jnp.exp(self.log_std), mean.shape))
