"""Return and cost of one run along its training, as all that reads results takes them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

AXES = {"step": "env steps", "updates": "gradient steps", "minutes": "minutes of training"}
"""What may be the x-axis, and its label."""


@dataclasses.dataclass(frozen=True)
class Series:
    """Return and cost of one run along its training."""

    path: Path
    step: np.ndarray
    """[L], increasing."""
    updates: np.ndarray
    """[L], NaN where it is not told; so are minutes."""
    minutes: np.ndarray
    """[L]"""
    returns: np.ndarray
    """[L], NaN where it is no finite number; so are costs."""
    cost: np.ndarray
    """[L C]"""

    def along(self, x: str) -> np.ndarray:
        """The x-axis of that name."""
        values = getattr(self, x)
        if not np.isfinite(values).all():
            raise ValueError(f"{self.path} tells no {AXES[x]}; draw it along another axis, such as --x step")
        return values


@dataclasses.dataclass(frozen=True)
class Curve(Series):
    """The evaluations of one run."""

    env: str
    """The world with what must stand beside it, such as its dialect; "" where a file of another tool tells none."""
    method: str
    """The algorithm and what tells it from others, apart from the cost limit."""
    label: str
    """The method, and the limit where its environment has several."""
    limit: tuple[float, ...]
    constraints: tuple[str, ...]
    acting: str
    """How evaluations act; "" if the run does not tell."""
    episodes: int
    """Of one evaluation; 0 if the run does not tell."""
    seed: int | None
    total: int | None
    """Env steps that the run was asked for."""
    length: np.ndarray
    """[L], env steps of an episode; NaN where it is not told."""
    training_rate: np.ndarray
    """[C], cost of an env step over the whole training; NaN where it is not told."""
    training: Series | None = None
    """The episodes that finished in training, with its exploration; None if the run tells of none."""
    config: dict = dataclasses.field(default_factory=dict)
    """What the run was asked to do, as its folder tells; {} for other tools."""
    metrics: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """The columns of its log, each [R], NaN where a row tells nothing; {} for other tools."""
    unread: int = 0
    """Rows of its file that are cut short or hold words for numbers, but for a last one that may be being written."""

    @property
    def sane(self) -> np.ndarray:
        """[L]: which evaluations are numbers."""
        return np.isfinite(self.returns) & np.isfinite(self.cost).all(1)

    def logged(self, name: str) -> np.ndarray:
        """[R]: what an update logged by that name, `model/NAME` or `policy/NAME`; NaN where none did."""
        unknown = np.full(len(self.metrics.get("step", ())), np.nan)
        return next((column for key, column in self.metrics.items() if key.partition("/")[2] == name), unknown)


def finite(values: np.ndarray) -> np.ndarray:
    """NaN for what is no finite number, so that there is one sign for all of it."""
    return np.where(np.isfinite(values), values, np.nan)
