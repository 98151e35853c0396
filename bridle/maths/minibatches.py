"""Passes over a batch in shuffled minibatches, as one scan."""

from __future__ import annotations

from collections.abc import Callable

import jax


def shuffled(key, batch, size: int):
    """A tree of rows [B ...] as minibatches [M size ...], in random order; the B mod size rows that are left over differ each time."""
    rows = len(jax.tree.leaves(batch)[0])
    size = min(size, rows)
    order = jax.random.permutation(key, rows)[: rows // size * size]
    return jax.tree.map(lambda leaf: leaf[order].reshape(-1, size, *leaf.shape[1:]), batch)


def one_pass(step: Callable, state, key, batch, size: int):
    """`step(state, minibatch) -> (state, told)` over all minibatches of one pass: state, and what was told, averaged."""
    state, told = jax.lax.scan(step, state, shuffled(key, batch, size))
    return state, jax.tree.map(lambda values: values.mean(0), told)
