"""One trial as a process: begun or resumed, locked for as long as it lives, judged by what it left."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from bridle.run.cores import held
from bridle.run.disk import Damaged, read_manifest, replace_text
from bridle.run.folder import SET_ASIDE, RunFolder, open_run
from bridle.run.processes import environment, why
from bridle.study.sweep.nested import to_toml
from bridle.study.sweep.plan import Trial

ASIDE = "trials"
"""Folder inside a study's: settings, log and lock of each trial."""
STOPPED = (130, 143, -signal.SIGINT, -signal.SIGTERM)
"""Exit codes of a run that was told to stop."""


class Place:
    """Where a trial lies."""

    def __init__(self, folder: Path, trial: Trial):
        self.trial, self.run = trial, folder / trial.name
        beside = folder / ASIDE / trial.name
        self.settings, self.log, self.lock = (Path(f"{beside}.{end}") for end in ("toml", "log", "lock"))

    def is_held(self) -> bool:
        """Is a process training it, be it one of a driver that died, or one that somebody began by hand?"""
        return _is_locked(self.lock) or _is_locked(self.run / ".lock")

    def opened(self) -> RunFolder | None:
        """Its run, if there is one that can be resumed or is complete."""
        try:
            found = open_run(self.run)
        except (FileNotFoundError, ValueError):
            return None
        return found if self.saved() is not None else None

    def saved(self) -> int | None:
        """Env steps of its furthest checkpoint; None if there is none."""
        steps = []
        for path in self.run.glob("checkpoints/step-*"):
            with contextlib.suppress(Damaged, ValueError):
                steps.append(int(read_manifest(path)["step"]))
        return max(steps, default=None)

    def is_complete(self) -> bool:
        """Was it trained to its end?"""
        found, step = self.opened(), self.saved()
        return found is not None and step is not None and step >= max(found.config["options"]["steps"], self.wanted())

    def wanted(self) -> int:
        """Env steps that the study asks for; 0 if it leaves that to a preset or to the defaults."""
        return int(self.trial.settings.get("steps", 0))

    def step(self) -> int:
        """Env steps that it tells in its last row of metrics; 0 if it tells none."""
        try:
            with open(self.run / "metrics.csv", "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return 0
        first = lines[-1].partition(",")[0] if lines else ""
        return int(first) if first.isdigit() else 0

    def make_way(self) -> Path | None:
        """Set aside what lies where the run should go and is none that can be resumed; where it went."""
        if not self.run.exists() or self.opened() is not None or (self.run.is_dir() and not any(self.run.iterdir())):
            return None
        number = 1
        while (aside := self.run.with_name(f"{self.run.name}{SET_ASIDE}{number}")).exists():
            number += 1
        os.rename(self.run, aside)
        return aside

    def command(self) -> list[str]:
        """What trains it from where it stands."""
        program = [sys.executable, "-m", "bridle"]
        if (found := self.opened()) is not None:
            longer = self.wanted() > found.config["options"]["steps"]
            return [*program, "resume", str(self.run), *(["--steps", str(self.wanted())] if longer else [])]
        return [*program, "train", self.trial.algorithm, "--config", str(self.settings), "--run", str(self.run)]

    def start(self, cpus: int, cwd: str | None = None) -> subprocess.Popen:
        """Its process on `cpus` cores, in a session of its own, so that Ctrl-C reaches it through us alone."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        preset = {"preset": self.trial.preset} if self.trial.preset else {}
        replace_text(self.settings, to_toml({"algorithm": self.trial.algorithm, **preset, **self.trial.settings}))
        command = self.command()
        with open(self.log, "a", encoding="utf-8") as log, open(self.lock, "a") as lock, held(cpus) as cores:
            _hold(lock)
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} $ {shlex.join(command)}\n")
            log.flush()
            # The locks go on to the process, and are let go when that ends, however it ends.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(cpus),
                cwd=cwd,
                start_new_session=True,
                pass_fds=(lock.fileno(), *cores),
            )

    def error(self, code: int) -> str:
        """Why it failed, in one line."""
        return why(code, self._said())

    def result(self) -> str:
        """How it ended, in its own words."""
        done = [line.strip() for line in self._said() if line.startswith("done: ")]
        return done[-1].removeprefix("done: ").partition(" (")[0] if done else "complete"

    def _said(self) -> list[str]:
        """What it said in its last sitting."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        begun = [i for i, line in enumerate(lines) if re.match(r"\d{4}-\d\d-\d\d [\d:]{8} \$ ", line)]
        return lines[begun[-1] + 1 :] if begun else lines


def _hold(file, patience: float = 1.0) -> None:
    """Lock the file; whoever only looks whether it is held has it for an instant, so this waits a little."""
    end = time.monotonic() + patience
    while True:
        try:
            import fcntl

            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise BlockingIOError(f"{file.name} is held by another process, which trains this trial") from None
            time.sleep(0.02)
        except (ImportError, OSError):
            return None  # a system or a network disk without locks


def _is_locked(path: Path) -> bool:
    try:
        import fcntl

        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False
