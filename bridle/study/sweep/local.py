"""The local engine: a pool of processes on this machine, one trial each."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridle.study.sweep.board import Board
from bridle.study.sweep.job import Job

TICK = 0.1
"""Seconds between two looks at the processes."""
PATIENCE = 15.0
"""Seconds that processes have to save and leave; `bridle train` takes at most 9."""


def check(asked: Any, study: Any) -> None:
    """Can this engine do what is asked?"""
    if asked.address is not None:
        raise ValueError(f"address = {asked.address}, but the local engine needs none: add --engine ray")
    if study.search:
        raise ValueError("[search] chooses settings by Optuna, which only --engine ray does")


def run(job: Job, board: Board, must_stop: Callable[[], bool]) -> None:
    """Train what is left, as many at once as there are workers; on an error of ours the processes are stopped too."""
    pool = Pool(job, board)
    try:
        while pool.waiting or pool.running:
            pool.collect()
            if must_stop():
                break
            pool.fill()
            board.show(pool.running)
            time.sleep(TICK)
    finally:
        pool.stop()


class Pool:
    """The processes, and what waits for its turn. Trials that a killed driver left running take their places too."""

    def __init__(self, job: Job, board: Board):
        self.job, self.board = job, board
        self.running: dict[str, subprocess.Popen | None] = {}
        """None: the process is not ours."""
        self.waiting: deque[str] = deque()
        for trial in job.left:
            if job.places[trial.name].is_held():
                self.running[trial.name] = None
                board.say(f"goes on   {trial.name}: another process trains it, it is waited for")
            else:
                self.waiting.append(trial.name)

    def collect(self) -> None:
        """Judge what has ended."""
        for name, process in list(self.running.items()):
            place = self.job.places[name]
            ended = process.poll() is not None if process else not place.is_held()
            if not ended:
                continue
            del self.running[name]
            self.board.say(self.job.judge(name, process.returncode if process else None))
            if process is None and self.job.manifest[name]["state"] == "waiting":
                self.waiting.appendleft(name)

    def fill(self) -> None:
        """Begin trials while there is a worker free, and room on the disk."""
        while self.waiting and len(self.running) < self.job.workers and self.job.has_room():
            name = self.waiting.popleft()
            place = self.job.places[name]
            if place.is_held():  # somebody has resumed it by hand since we looked
                self.running[name] = None
                self.board.say(f"goes on   {name}: another process trains it, it is waited for")
                continue
            if (aside := place.make_way()) is not None:
                self.board.say(f"set aside {place.run} -> {aside.name}: it holds nothing that could be resumed")
            line = self.job.begin(name)
            try:
                self.running[name] = process = place.start(self.job.study.cpus)
            except OSError as error:
                self.board.say(self.job.judge(name, 1, f"it could not be started: {error}"))
                continue
            self.job.manifest.set(name, "running", pid=process.pid)
            self.board.say(line)

    def stop(self) -> None:
        """Let all processes save and leave, also those of a driver before us; end what does not."""
        for name, process in self.running.items():
            if process is not None or self._is_of_a_driver(name):
                with suppress(ProcessLookupError):
                    os.kill(process.pid if process else self.job.manifest[name]["pid"], signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self.running and time.monotonic() < end:
            self.collect()
            time.sleep(TICK)
        for name, process in self.running.items():
            if process is not None:
                process.kill()
                process.wait()
                self.board.say(self.job.judge(name, None))
            else:
                self.board.say(f"goes on   {name}: another process trains it still, and is left alone")

    def _is_of_a_driver(self, name: str) -> bool:
        """Is the process whose number we know still the trial's?"""
        pid = self.job.manifest[name].get("pid")
        if not pid:
            return False
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        return str(self.job.places[name].run) in words
