"""What an engine is given: the trials that are left, and one way to begin and to judge each, whoever runs them."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from bridle.study.sweep.manifest import Manifest
from bridle.study.sweep.plan import Study, Trial
from bridle.study.sweep.process import STOPPED, Place

ROOM = 50e6
"""Bytes that must be free to begin a trial."""


FULL = re.compile(r"Errno (28|122)\b|No space left|Disk quota")
"""What a process says when the disk is full; by the time we look, what it could not finish may be gone again."""


class Job:
    """One sitting of a study."""

    def __init__(
        self,
        folder: Path,
        study: Study,
        manifest: Manifest,
        left: list[Trial],
        totals: dict[str, int],
        workers: int,
        address: str | None = None,
        retry_failed: bool = False,
    ):
        self.folder, self.study, self.manifest, self.left = folder, study, manifest, left
        self.totals, self.workers, self.address, self.retry_failed = totals, workers, address, retry_failed
        self.places = {trial.name: Place(folder, trial) for trial in left}
        self.disk_is_full = False

    def has_room(self) -> bool:
        """Is there room on the disk for another trial? If not, the study stops."""
        self.disk_is_full = self.disk_is_full or shutil.disk_usage(self.folder).free < ROOM
        return not self.disk_is_full

    def begin(self, name: str, pid: int | None = None) -> str:
        """Note that a process trains it from now on; a line about it."""
        place, known = self.places[name], self.manifest[name]
        starts = known.get("starts", 0) + 1
        facts = {"starts": starts, "run": str(place.run), "log": str(place.log), "pid": pid, "error": None}
        self.manifest.set(name, "running", started=time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts)
        step = place.saved() if place.opened() is not None else None
        return f"started   {name}" if step is None else f"resumed   {name} at step {step:,}"

    def judge(self, name: str, code: int | None, error: str | None = None) -> str:
        """Note how a process that left with `code` (None: nobody saw it) has left its trial; a line about it.

        `error`: what is known better than by its log.
        """
        place = self.places[name]
        if code in (0, None) and place.is_complete():
            self.manifest.set(name, "done", result=place.result(), pid=None)
            return f"done      {name}: {place.result()}"
        if code is None or code in STOPPED:
            self.manifest.set(name, "waiting", pid=None)
            return f"stopped   {name}" + (f" at step {step:,}" if (step := place.saved()) else "")
        error = error or place.error(code)
        self.disk_is_full = self.disk_is_full or FULL.search(error) is not None
        if not self.has_room():
            self.manifest.set(name, "waiting", pid=None, error=error)
            return f"stopped   {name}: {error}"
        self.manifest.set(name, "failed", error=error, pid=None)
        return f"failed    {name}: {error}\n          log: {place.log}"
