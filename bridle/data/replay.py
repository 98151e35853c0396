"""One memory, five draws: a ring of the steps that all envs lived, on the host, time-major [capacity N ...]."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import jax
import numpy as np

from bridle.core.algorithm import Batch, Draw, Everything, Finished, Latest, Sequences
from bridle.core.types import Continuous, Drawn, Episodes, Spec, Transition

REMEMBERED_EPISODES = 1024
"""Finished episodes that the ring keeps the sums of."""


class Ring:
    """The last `capacity` rows of N envs, a row being one step of each. Draws are NumPy arrays with static shapes."""

    def __init__(
        self, spec: Spec, memory: int, extras: dict[str, np.ndarray], columns: tuple[tuple[str, float], ...] = ()
    ):
        """`memory` env steps summed over all copies; `extras` are examples [N ...] of what the policy notes;
        `columns` names float columns that updates write back, and what a fresh row holds."""
        self.num_envs = n = spec.num_envs
        self.capacity = max(1, -(-memory // n))
        self.total = 0
        self.fresh = dict(columns)
        self.constraints = max(1, len(spec.constraints))

        def column(shape, dtype):
            return np.zeros((self.capacity, n, *shape), dtype)

        action = (
            column((spec.action.size,), np.float32) if isinstance(spec.action, Continuous) else column((), np.int32)
        )
        leaves = lambda: jax.tree.map(lambda leaf: column(leaf.shape, leaf.dtype), spec.obs)
        flag = lambda: column((), np.bool_)
        self.rows = Transition(
            obs=leaves(),
            action=action,
            reward=column((), np.float32),
            cost=column((self.constraints,), np.float32),
            next_obs=leaves(),
            terminated=flag(),
            truncated=flag(),
            valid=flag(),
            extras={k: column(np.shape(v)[1:], np.asarray(v).dtype) for k, v in extras.items()}
            | {name: column((), np.float32) for name in self.fresh},
        )
        self._flat, self._tree = jax.tree.flatten(self.rows)
        self._names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(self.rows)[0]]
        self._written = {f".extras[{name!r}]" for name in self.fresh}
        self._sums = np.zeros((n, 2 + self.constraints))
        self._episodes: deque = deque(maxlen=REMEMBERED_EPISODES)
        self._cuts: list[int] = []

    # Writing -----------------------------------------------------------------------------------------------------

    def add(self, transition: Transition, step: int) -> list[tuple[float, np.ndarray, int]]:
        """One row: leaves [N ...], `step` env steps so far. Returns (return, cost [C], length) of episodes it finished."""
        at = self.total % self.capacity
        fresh = {name: np.full(self.num_envs, value, np.float32) for name, value in self.fresh.items()}
        row = transition._replace(extras={**transition.extras, **fresh})
        for column, value in zip(self._flat, self._tree.flatten_up_to(row), strict=True):
            column[at] = value
        self.total += 1
        return self._note_episodes(row, step)

    def _note_episodes(self, row: Transition, step: int):
        valid = row.valid
        self._sums[valid, 0] += row.reward[valid]
        self._sums[valid, 1] += 1
        self._sums[valid, 2:] += row.cost[valid]
        ended = np.flatnonzero(valid & (row.terminated | row.truncated))
        finished = [(self._sums[i, 0], self._sums[i, 2:].copy(), int(self._sums[i, 1])) for i in ended]
        self._episodes.extend((step, *episode) for episode in finished)
        self._sums[ended] = 0
        return finished

    def forget_open_episodes(self) -> None:
        """The open episodes were dropped and begin anew: the last row of each env counts as truncated."""
        if self.total:
            self._cuts = [row for row in self._cuts if row >= self.total - self.capacity] + [self.total - 1]
            self._cut(self.total - 1)
        self._sums[:] = 0

    def _cut(self, row: int) -> None:
        at = row % self.capacity
        self.rows.truncated[at] |= ~self.rows.terminated[at]

    def write(self, index: np.ndarray, writes: dict[str, np.ndarray]) -> None:
        """New values of write-back columns at the rows that a draw named."""
        for name, values in writes.items():
            column = self.rows.extras[name].reshape(-1)
            column[np.asarray(index).reshape(-1)] = np.asarray(values).reshape(-1)

    # Reading -----------------------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Rows that are filled."""
        return min(self.total, self.capacity)

    def ready(self, draw: Draw, since: int) -> bool:
        """Is there enough for this draw? `since`: env steps at which the update last ran."""
        match draw:
            case Batch(size):
                return self.held * self.num_envs >= size and self._startable(1)
            case Sequences(size, length):
                return self.held >= length and self.held * self.num_envs >= size and self._startable(length)
            case Latest(length):
                return min(self.held, self.total - 1 - max(self._cuts, default=-1)) >= length
            case Everything():
                return self.held > 0
            case Finished():
                return any(episode[0] > since for episode in self._episodes)

    def draw(self, draw: Draw, times: int, step: int, since: int, rng: np.random.Generator) -> Drawn:
        """What an update learns from: leaves with a leading axis `times`."""
        match draw:
            case Batch(size, None):
                return self._gather(self._starts(rng, times * size, 1).reshape(times, size), step)
            case Batch(size, by):
                return self._weighted(rng, by, times, size, step)
            case Sequences(size, length):
                starts = self._starts(rng, times * size, length).reshape(times, size, 1)
                index = (starts + self.num_envs * np.arange(length)) % (self.capacity * self.num_envs)
                return self._gather(index, step)
            case Latest(length):
                time = np.arange(self.total - length, self.total) % self.capacity
                index = time[:, None] * self.num_envs + np.arange(self.num_envs)
                return self._gather(np.broadcast_to(index, (times, *index.shape)), step)
            case Everything():
                index = np.arange(self.capacity * self.num_envs).reshape(self.capacity, self.num_envs)
                return self._gather(np.broadcast_to(index, (times, *index.shape)), step)
            case Finished(size):
                return self._finished(size, times, step, since)

    def _gather(self, index: np.ndarray, step: int, probability: np.ndarray | None = None) -> Drawn:
        flat = [column.reshape(-1, *column.shape[2:])[index] for column in self._flat]
        chance = np.ones(index.shape, np.float32) if probability is None else probability
        times = index.shape[0]
        return Drawn(
            jax.tree.unflatten(self._tree, flat), index.astype(np.int32), chance, np.full(times, step, np.float32)
        )

    def _startable(self, length: int) -> bool:
        """Is there a valid row with `length - 1` rows behind it? (Else `_starts` would look for ever.)"""
        first = (self.total - self.held) % self.capacity
        last = first + self.held - length + 1
        valid = self.rows.valid
        return bool(valid[first:last].any() or valid[: max(0, last - self.capacity)].any())

    def _starts(self, rng: np.random.Generator, count: int, length: int) -> np.ndarray:
        """Flat rows, uniform over those that are valid and have `length - 1` rows of the same env behind them."""
        oldest = self.total - self.held

        def propose(k):
            time = rng.integers(oldest, self.total - length + 1, k) % self.capacity
            return time * self.num_envs + rng.integers(0, self.num_envs, k)

        starts = propose(count)
        valid = self.rows.valid.reshape(-1)
        wrong = np.flatnonzero(~valid[starts])
        while wrong.size:
            starts[wrong] = propose(wrong.size)
            wrong = wrong[~valid[starts[wrong]]]
        return starts

    def _weighted(self, rng: np.random.Generator, by: str, times: int, size: int, step: int) -> Drawn:
        """Rows in proportion to the column `by` (Schaul et al. 2016, arXiv:1511.05952, eq. 1 with the exponent in the column)."""
        filled = self.held * self.num_envs
        weight = np.where(self.rows.valid, self.rows.extras[by], 0.0).reshape(-1)[:filled].astype(np.float64)
        chance = weight / weight.sum()
        index = rng.choice(filled, (times, size), p=chance)
        return self._gather(index, step, (chance[index] * filled).astype(np.float32))

    def _finished(self, size: int, times: int, step: int, since: int) -> Drawn:
        episodes = [episode for episode in self._episodes if episode[0] > since][-size:]
        returns, length = np.zeros(size, np.float32), np.zeros(size, np.int32)
        cost, valid = np.zeros((size, self.constraints), np.float32), np.zeros(size, np.bool_)
        for i, (_, total, of_cost, steps) in enumerate(episodes):
            returns[i], cost[i], length[i], valid[i] = total, of_cost, steps, True
        rows = Episodes(returns, cost, length, valid)
        rows = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (times, *leaf.shape)), rows)
        index = np.zeros((times, size), np.int32)
        return Drawn(rows, index, np.ones((times, size), np.float32), np.full(times, step, np.float32))

    # Saving ------------------------------------------------------------------------------------------------------

    def slice(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Rows first <= t < last by absolute number, those columns that never change once written."""
        time = np.arange(first, last) % self.capacity
        return {
            name: column[time]
            for name, column in zip(self._names, self._flat, strict=True)
            if name not in self._written
        }

    def fill(self, first: int, columns: dict[str, np.ndarray]) -> None:
        """Put back rows that `slice` gave; rows that have left the ring are dropped."""
        last = first + len(next(iter(columns.values())))
        start = max(first, last - self.capacity)
        time = np.arange(start, last) % self.capacity
        for name, column in zip(self._names, self._flat, strict=True):
            if name not in self._written:
                column[time] = columns[name][start - first :]
        self.total = max(self.total, last)

    @property
    def whole(self) -> dict[str, np.ndarray]:
        """What is saved whole: columns that updates write back, and the sums of open and finished episodes."""
        kept = {name: c for name, c in zip(self._names, self._flat, strict=True) if name in self._written}
        episodes = [(step, total, length, *cost) for step, total, cost, length in self._episodes]
        table = np.asarray(episodes, np.float64).reshape(len(episodes), 3 + self.constraints)
        # `forget_open_episodes` changes a row that a chunk holds already, and chunks are never written anew.
        cuts = np.asarray(self._cuts, np.int64)
        return {**kept, "open_episodes": self._sums, "finished_episodes": table, "cuts": cuts}

    def refill(self, whole: dict[str, np.ndarray], chunks: Iterator[tuple[int, int, dict]], total: int) -> None:
        """Restore from what a checkpoint holds."""
        for first, _, columns in chunks:
            self.fill(first, columns)
        self.total = total
        for name, column in zip(self._names, self._flat, strict=True):
            if name in self._written:
                column[:] = whole[name]
        self._sums[:] = whole["open_episodes"]
        self._episodes.clear()
        for step, returns, length, *cost in whole["finished_episodes"]:
            self._episodes.append((int(step), returns, np.asarray(cost), int(length)))
        self._cuts = [int(row) for row in whole["cuts"] if row >= total - self.capacity]
        for row in self._cuts:
            self._cut(row)
