"""What happens between two rows of metrics, as running sums that a checkpoint can hold."""

from __future__ import annotations

import time

from bridle.core.names import one_each


class Tally:
    """Means of the updates' metrics and of finished episodes since the last row, and speeds."""

    def __init__(self, seconds: float = 0.0, step: int = 0, updates: int = 0):
        """`seconds`: how long the run has trained before, where it is resumed."""
        self._sums: dict[str, tuple[float, int]] = {}
        self._zero = time.monotonic() - seconds
        self._last = (seconds, step, updates)

    def add(self, metrics: dict[str, float], episodes: list) -> None:
        """Metrics of one block of updates, and (return, cost [C], length) of the episodes that finished."""
        for name, value in metrics.items():
            self._add(name, value)
        for returns, cost, length in episodes:
            self._add("episode/return", returns)
            for name, value in zip(one_each("episode/cost", len(cost)), cost, strict=True):
                self._add(name, value)
            self._add("episode/length", length)

    def add_kinds(self, names: tuple[str, ...], episodes: list) -> None:
        """What each kind of cost came to in the episodes that finished, [K] each."""
        for told in episodes:
            for name, value in zip(names, told, strict=True):
                self._add(f"episode/cost_{name}", value)

    def _add(self, name: str, value: float) -> None:
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = (total + float(value), count + 1)

    def means(self) -> dict[str, float]:
        """The mean of each metric that came since the last `clear`."""
        return {name: total / count for name, (total, count) in self._sums.items()}

    def clear(self) -> None:
        """A row was written."""
        self._sums = {}

    @property
    def seconds(self) -> float:
        """How long the run has trained, all sittings together."""
        return time.monotonic() - self._zero

    def speeds(self, step: int, updates: int) -> dict[str, float]:
        """`time/...` since these were last asked for."""
        seconds, (before, old_step, old_updates) = self.seconds, self._last
        self._last = (seconds, step, updates)
        passed = max(seconds - before, 1e-9)
        return {
            "time/steps_per_s": (step - old_step) / passed,
            "time/updates_per_s": (updates - old_updates) / passed,
            "time/seconds": seconds,
        }

    def get_state(self) -> dict[str, list]:
        """The sums, as JSON."""
        return {name: list(pair) for name, pair in self._sums.items()}

    def set_state(self, state: dict[str, list]) -> None:
        """Go on with what `get_state` told."""
        self._sums = {name: (float(total), int(count)) for name, (total, count) in state.items()}


def columns(costs: int) -> list[str]:
    """The columns of `metrics.csv` that every run has, in order; those of updates follow as they come."""
    episode = ["episode/return", *one_each("episode/cost", costs), "episode/length"]
    evaluation = ["eval/return", "eval/return_std", *one_each("eval/cost", costs), "eval/length", "eval/feasible"]
    return [*episode, *evaluation, "time/steps_per_s", "time/updates_per_s", "time/seconds"]
