"""What an update has to multiply: a count of its FLOPs, and the same products alone, which are the machine's ceiling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

FORWARD, THROUGH, LEARNS = 1, 2, 3
"""What is done with a network, and what that costs in forward passes: forward; and backward to its input; and to its weights too."""


class Evaluation(NamedTuple):
    """A network seen by some rows."""

    rows: int
    sizes: tuple[int, ...]
    passes: int
    """FORWARD, THROUGH or LEARNS."""
    networks: int = 1
    """How many of its kind see the rows."""
    again: int = 1
    """How many times in turn, where it learns."""
    every: int = 1
    """Done in one update of so many."""


def of_cvpo(config, o: int, a: int) -> list[Evaluation]:
    """Every evaluation of a network in one update of CVPO as it is written, and as nobody would have optimised it."""
    heads = a + (a * (a + 1) // 2 if config.head == "full" else a)
    actor, critic = (o, *config.hidden, heads), (o + a, *config.hidden, 1)
    critics, rows = config.critics + config.cost_critics, config.batch
    return [
        Evaluation(rows, actor, FORWARD),  # the action at the next observation
        Evaluation(rows, critic, FORWARD, critics),  # target critics there
        Evaluation(rows, critic, LEARNS, critics),
        Evaluation(rows, actor, FORWARD),  # E-step: the old policy
        Evaluation(rows * config.samples, critic, FORWARD, critics),  # E-step: critics at every sampled action
        Evaluation(rows, actor, LEARNS, again=config.fit_steps),  # M-step
    ]


def of_sac(config, o: int, a: int) -> list[Evaluation]:
    """The same of SAC: its actor learns through every critic."""
    return _climbing(config, (o, *config.hidden, 2 * a), o + a, config.critics)


def of_td3(config, o: int, a: int) -> list[Evaluation]:
    """The same of TD3 and DDPG: the actor learns through one critic of reward."""
    return _climbing(config, (o, *config.hidden, a), o + a, 1)


def _climbing(config, actor: tuple[int, ...], inputs: int, climbed: int) -> list[Evaluation]:
    rows, every, costs = config.batch, config.actor_every, config.cost_critics if config.constrained else 0
    critic = (inputs, *config.hidden, 1)
    return [
        Evaluation(rows, actor, FORWARD),  # the action at the next observation
        Evaluation(rows, critic, FORWARD, config.critics + costs),  # target critics there
        Evaluation(rows, critic, LEARNS, config.critics + costs),
        Evaluation(rows, actor, LEARNS, every=every),
        Evaluation(rows, critic, THROUGH, climbed + costs, every=every),  # the critics that tell the actor where to go
    ]


def flops(several: list[Evaluation]) -> float:
    """Of one update: 2 in out a row and layer and pass."""
    one = lambda e: 2.0 * e.rows * sum(i * o for i, o in zip(e.sizes[:-1], e.sizes[1:], strict=True))
    return sum(one(e) * e.passes * e.networks * e.again / e.every for e in several)


def chain_of(several: list[Evaluation], times: int) -> Callable[[], None]:
    """A call that makes the products of `times` updates and nothing else; compiled."""
    key = jax.random.key(0)
    flat = [e for e in several for _ in range(e.networks)]
    weights = [
        [jax.random.normal(key, (i, o)) / i**0.5 for i, o in zip(e.sizes[:-1], e.sizes[1:], strict=True)] for e in flat
    ]
    # Those evaluations that see the same rows share them, so that reading memory is no part of the ceiling's cost.
    inputs = {(e.rows, e.sizes[0]): jax.random.normal(key, (times, e.rows, e.sizes[0])) for e in flat}

    @jax.jit
    def run(weights, inputs):
        def one(weights, item):
            x, number = item
            ends, new = 0.0, []
            for e, w in zip(flat, weights, strict=True):
                end, w = _now_and_then(e, w, x[e.rows, e.sizes[0]], number)
                ends += end
                new.append(w)
            return new, ends

        return jax.lax.scan(one, weights, (inputs, jax.numpy.arange(times)))

    def call() -> None:
        nonlocal weights
        weights, ends = run(weights, inputs)
        jax.block_until_ready((weights, ends))

    call()
    return call


def _now_and_then(e: Evaluation, weights: list[Any], x, number):
    if e.every == 1:
        return products(e, weights, x)
    return jax.lax.cond(number % e.every == 0, lambda: products(e, weights, x), lambda: (0.0, weights))


def products(e: Evaluation, weights: list[Any], x):
    """Forward products; then, as far as the gradient goes back, one or two products a layer. Where a network learns, its
    weights move a little, so that no product can be left out or made once for all."""
    if e.again > 1:
        once = e._replace(again=1)
        weights, ends = jax.lax.scan(lambda w, _: products(once, w, x)[::-1], weights, length=e.again)
        return ends.sum(), weights
    xs = [x]
    for w in weights:
        xs.append(xs[-1] @ w)
    end = xs[-1].sum()
    if e.passes == FORWARD:
        return end, weights
    back, moved = xs[-1], []
    for w, seen in zip(reversed(weights), reversed(xs[:-1]), strict=True):
        moved.append(w + 1e-9 * (seen.T @ back) if e.passes == LEARNS else w)
        back = back @ w.T
    return end + 1e-9 * back.sum(), moved[::-1]
