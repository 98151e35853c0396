"""Numbers that are not finite: what is said of them, and where they are looked for."""

from __future__ import annotations

import jax
import numpy as np

FINITE = "none: every leaf is finite"


class Diverged(RuntimeError):
    """A metric of an update is not finite; or, where `metric` is None, its state; or, where `update` is, an action."""

    def __init__(self, update: str | None, step: int, metric: str | None, leaf: str):
        who = "the policy" if update is None else f"update '{update}'"
        what = "its state is not finite though every metric is" if metric is None else f"'{metric}' is not finite"
        super().__init__(
            f"{who} diverged at step {step:,}: {what}; first bad leaf: {leaf}; the last good checkpoint is kept. A smaller "
            f"learning rate or a clipped gradient usually helps"
        )
        self.update, self.step, self.metric, self.leaf = update, step, metric, leaf


def first_bad_leaf(state) -> str:
    """The name of the first leaf that holds a number that is not finite."""
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        if not is_finite(leaf):
            return jax.tree_util.keystr(path)
    return FINITE


def is_finite(leaf) -> bool:
    """Is every number of an array finite?"""
    leaf = np.asarray(leaf)
    return not np.issubdtype(leaf.dtype, np.floating) or bool(np.isfinite(leaf).all())
