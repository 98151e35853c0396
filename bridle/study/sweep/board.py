"""What a person sees of a study: a live table on a terminal, else a line for each event and a word now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, Self, TextIO

from bridle.study.sweep.job import Job

WORD = 120.0
"""Seconds between two words about how far it is, where there is no terminal."""
PICTURE = 1.0
"""Seconds between two pictures on a terminal."""


class Board:
    """`say` lines, `show` where the running trials stand."""

    def __init__(self, job: Job, stream: TextIO | None = None, live: bool | None = None):
        self.job, self._stream = job, stream or sys.stdout
        self._begun = self._shown = time.monotonic()
        self._first = {name: self._step(name) for name in job.places}
        self._live: Any = None
        if self._stream.isatty() if live is None else live:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(file=self._stream, force_terminal=True), auto_refresh=False, transient=True
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._stream, flush=True)

    def show(self, running: Iterable[str]) -> None:
        """Where it stands; often called, seldom shown."""
        now = time.monotonic()
        if now - self._shown < (PICTURE if self._live is not None else WORD):
            return
        self._shown = now
        running = list(running)
        if self._live is not None:
            self._live.update(self._picture(running), refresh=True)
        else:
            self.say(f"          {self.words()}")

    def elapsed(self) -> float:
        """Seconds of this sitting."""
        return time.monotonic() - self._begun

    def words(self) -> str:
        """Such as `12 of 45 done, 2 running, 1 failed, about 3 h 10 min left`."""
        counts, seconds = self.job.manifest.counts(), self.seconds_left()
        told = [f"{counts['done']} of {len(self.job.manifest.trials)} done", f"{counts['running']} running"]
        told += [f"{counts['failed']} failed"] * bool(counts["failed"])
        told += [f"about {duration(seconds)} left"] if seconds is not None else []
        return ", ".join(told)

    def seconds_left(self) -> float | None:
        """At the speed of this sitting; None while nothing is known of that."""
        steps = {name: self._step(name) for name in self.job.places}
        gained = sum(steps[name] - self._first[name] for name in steps)
        if gained <= 0:
            return None
        states = self.job.manifest
        left = sum(self.job.totals[x] - steps[x] for x in steps if states[x]["state"] in ("waiting", "running"))
        return max(left, 0) * self.elapsed() / gained

    def _step(self, name: str) -> int:
        return min(self.job.places[name].step(), self.job.totals[name])

    def _picture(self, running: list[str]) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        for name in running:
            step, total = self._step(name), self.job.totals[name]
            table.add_row(name, ProgressBar(total, step, width=24), f"{step:,} of {total:,}")
        return Group(table, self.words())


def duration(seconds: float) -> str:
    """Such as `3 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
