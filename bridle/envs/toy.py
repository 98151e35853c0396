"""Toy worlds whose best return under a cost limit a linear program tells, in batched NumPy.

A walker goes round a ring of five cells. Its action is a speed: full speed pays 1 a step and moves on to the next cell
almost surely; cell 2 pays 1 more to whoever is there; speed above one half costs its square, five times as much in the
cells 3 and 4 as elsewhere. So the best policy slows down where speed is dear and lingers where it is paid, and its return
grows smoothly with the limit: strictly between the careless and the costless one at each limit in between.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridle.core.types import Continuous, Discrete, Leaf, Outcome, Spec
from bridle.envs.draws import uniform

CELLS = 5
BONUS = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
"""Reward of a step begun in each cell, whatever the action."""
RISK = np.array([0.2, 0.2, 0.2, 1.0, 1.0])
"""Cost of a step at full speed, in each cell."""
CROWDED = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
"""The second cost of `toy/TwoCosts-v0`: of a step begun in each cell."""
CHOICES = 5
"""Actions of `toy/Discrete-v0`: speeds -1, -1/2, 0, 1/2, 1."""

RINGS = ("toy/Corridor-v0", "toy/Discrete-v0", "toy/Dict-v0", "toy/TwoCosts-v0")


class Optimum(NamedTuple):
    """The best that any policy can expect of one episode, also one that reads the clock."""

    returns: float
    cost: np.ndarray
    """float [C]"""


class Ring:
    """N walkers on the ring (a `World`); everything random is a hash of (seed, episode, step), so it batches and resumes."""

    def __init__(self, name: str, num_envs: int = 1, horizon: int = 20):
        if name not in RINGS:
            raise ValueError(f"no ring {name!r}; there are {', '.join(RINGS)}")
        if horizon < 1 or num_envs < 1:
            raise ValueError(f"{name}: horizon = {horizon}, num_envs = {num_envs}; both are integers > 0")
        self.pictured, self.discrete = name == "toy/Dict-v0", name == "toy/Discrete-v0"
        self.two = name == "toy/TwoCosts-v0"
        vector = Leaf((CELLS,))
        self.spec = Spec(
            name=name,
            obs={"image": Leaf((8, 8, 1), "uint8"), "vector": Leaf((2,))} if self.pictured else vector,
            action=Discrete(CHOICES) if self.discrete else Continuous(1),
            num_envs=num_envs,
            horizon=horizon,
            constraints=("speed", "crowding") if self.two else ("cost",),
        )
        self.reset(np.arange(num_envs))

    def reset(self, seeds):
        """Begin episode 0 of every walker."""
        self.seeds = np.broadcast_to(np.asarray(seeds, np.int64), self.spec.num_envs).copy()
        self.episode = np.zeros(self.spec.num_envs, np.int64)
        self.elapsed = np.zeros(self.spec.num_envs, np.int64)
        self.cell = self._first()
        return self._look(self.cell)

    def step(self, action) -> Outcome:
        """One step of every walker."""
        speed = self._speed(action)
        reward, cost, moving = _answers(self.cell, speed, self.two)
        self.elapsed += 1
        moves = uniform(self.seeds, self.episode, self.elapsed) < moving
        self.cell = (self.cell + moves) % CELLS
        next_obs = self._look(self.cell)
        ended = self.elapsed >= self.spec.horizon
        obs = next_obs
        if ended.any():
            self.episode += ended
            self.elapsed[ended] = 0
            self.cell = np.where(ended, self._first(), self.cell)
            obs = self._look(self.cell)
        never = np.zeros_like(ended)
        return Outcome(next_obs, obs, reward.astype(np.float32), cost.astype(np.float32), never, ended, ~never)

    def get_state(self):
        """Everything that the next steps depend on."""
        arrays = {"seeds": self.seeds, "episode": self.episode, "elapsed": self.elapsed, "cell": self.cell}
        return {name: array.copy() for name, array in arrays.items()}

    def set_state(self, state):
        """Go back to what `get_state` told."""
        self.seeds, self.episode, self.elapsed, self.cell = (
            np.array(state[name], np.int64) for name in ("seeds", "episode", "elapsed", "cell")
        )
        return self._look(self.cell)

    def render(self, index: int = 0):
        """The ring unrolled: the walker white, the dear cells red, the paid cell green."""
        row = np.full((CELLS, 3), 64, np.uint8)
        row[RISK == 1.0], row[BONUS > 0], row[self.cell[index]] = (160, 32, 32), (32, 128, 32), (255, 255, 255)
        return np.repeat(np.repeat(row[None], 32, 0), 32, 1)

    def close(self):
        """Nothing is held."""

    def solve(self, limit) -> Optimum:
        """The optimum of this world under `limit`, by `solve`."""
        return solve(limit, self.spec.horizon, CHOICES if self.discrete else 41, self.two)

    def _first(self):
        return (uniform(self.seeds, self.episode, np.zeros_like(self.episode)) * CELLS).astype(np.int64)

    def _speed(self, action):
        action = np.asarray(action)
        if self.discrete:
            if (
                action.shape != self.cell.shape
                or action.dtype.kind not in "iu"
                or np.any((action < 0) | (action >= CHOICES))
            ):
                raise ValueError(
                    f"{self.spec.name}: action {action!r}; allowed: int [{len(self.cell)}] in [0, {CHOICES})"
                )
            return np.linspace(-1.0, 1.0, CHOICES)[action]
        if action.shape != (len(self.cell), 1) or not np.isfinite(action).all():
            raise ValueError(f"{self.spec.name}: action {action!r}; allowed: finite floats [{len(self.cell)} 1]")
        return np.clip(action[:, 0].astype(np.float64), -1.0, 1.0)

    def _look(self, cell):
        if not self.pictured:
            return np.eye(CELLS, dtype=np.float32)[cell]
        image = np.zeros((len(cell), 8, 8, 1), np.uint8)
        image[np.arange(len(cell)), :, cell + 1] = 255
        angle = 2.0 * np.pi * cell / CELLS
        return {"image": image, "vector": np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)}


def make(name: str, num_envs: int = 1, horizon: int = 20) -> Ring:
    """The toy world `name` with `num_envs` copies and episodes of `horizon` steps."""
    return Ring(name, num_envs, horizon)


def solve(limit, horizon: int = 20, choices: int = 41, two: bool = False) -> Optimum:
    """The best expected return of one episode whose expected cost stays under `limit` ([C] or a number), by linear program.

    Over the occupancy x[t, cell, action] with `choices` speeds in [-1, 1]: maximise the sum of x reward, subject to the
    flow of probability from step to step and the sum of x cost <= limit (Altman 1999, ch. 3, for a finite horizon).
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_matrix

    cell, speed = (grid.ravel() for grid in np.meshgrid(np.arange(CELLS), np.linspace(-1, 1, choices), indexing="ij"))
    reward, cost, moving = _answers(cell, speed, two)
    step = np.arange(horizon)[:, None]
    column = step * len(cell) + np.arange(len(cell))
    stays, goes = (step + 1) * CELLS + cell, (step + 1) * CELLS + (cell + 1) % CELLS
    ones = np.ones((horizon, len(cell)))
    rows = np.concatenate([step * CELLS + cell, stays, goes])
    values = np.concatenate([ones, -ones * (1.0 - moving), -ones * moving])
    flow = coo_matrix(
        (values.ravel(), (rows.ravel(), np.tile(column, (3, 1)).ravel())), shape=((horizon + 1) * CELLS, column.size)
    )
    begin = np.zeros(horizon * CELLS)
    begin[:CELLS] = 1.0 / CELLS
    costs = np.tile(cost.T, (1, horizon))
    bound = np.broadcast_to(np.asarray(limit, np.float64), len(costs))
    found = linprog(-np.tile(reward, horizon), costs, bound, flow.tocsr()[: horizon * CELLS], begin, method="highs-ipm")
    if not found.success:
        raise ValueError(f"cost limit {limit} cannot be met within {horizon} steps: {found.message}")
    return Optimum(-found.fun, costs @ found.x)


def _answers(cell, speed, two: bool):
    """Reward [N], cost [N C] and the probability [N] of moving on, for each cell and speed in [-1, 1]."""
    pace = 0.5 * (1.0 + speed)
    cost = [RISK[cell] * np.maximum(speed, 0.0) ** 2] + [CROWDED[cell]] * two
    return BONUS[cell] + pace, np.stack(cost, -1), 0.1 + 0.8 * pace
