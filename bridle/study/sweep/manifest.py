"""`study.json`: the plan of a study and where each of its trials stands; whole at every moment."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bridle
from bridle.run.disk import replace_text
from bridle.study.sweep import chance
from bridle.study.sweep.nested import get, merged, put
from bridle.study.sweep.plan import Study, Trial

FORMAT = 1
STATES = ("waiting", "running", "done", "failed")
FILE = "study.json"


class Manifest:
    """What is known of each trial by its name: `state`, `error`, `log`, and what its process left."""

    def __init__(self, folder: Path, study: Study, trials: list[Trial]):
        self.folder, self.study, self.trials = folder, study, {trial.name: trial for trial in trials}
        self.path = folder / FILE
        told = self._read()
        self.found: dict[str, dict[str, Any]] = told.get("trials", {})
        """Also trials that the study file named once and names no more."""
        for trial in trials:
            self._add(self._as_drawn(trial))

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.found[name]

    def named(self, *states: str) -> list[Trial]:
        """The trials of the plan that are in one of these states, in its order."""
        return [trial for name, trial in self.trials.items() if self.found[name]["state"] in states]

    def counts(self) -> dict[str, int]:
        """How many trials of the plan are in each state."""
        return {state: len(self.named(state)) for state in STATES}

    def set(self, name: str, state: str, **facts: Any) -> None:
        """A trial has come to another state; this is on the disk when it returns."""
        self.found[name] |= {"state": state, **facts}
        self.save()

    def save(self) -> None:
        """Write it all."""
        body = {"format": FORMAT, "bridle": bridle.__version__, "name": self.study.name, "trials": self.found}
        with _full_disk_told(self.folder):
            replace_text(self.path, json.dumps(body, indent=1) + "\n")

    def _as_drawn(self, trial: Trial) -> Trial:
        """The trial with the values that a search has chosen for it, if it has."""
        known = self.found.get(trial.name, {})
        if not self.study.search or "drawn" not in known:
            return trial
        settings = merged(trial.settings)
        for path in chance.leaves_of(self.study.random):
            put(settings, path, get(known["settings"], path))
        self.trials[trial.name] = trial._replace(settings=settings)
        return self.trials[trial.name]

    def _add(self, trial: Trial) -> None:
        plan = {"algorithm": trial.algorithm, "preset": trial.preset, "settings": trial.settings}
        known = self.found.setdefault(trial.name, {**plan, "state": "waiting"})
        then = {key: known.get(key) for key in plan}
        if _is_longer(then, plan):
            state = "waiting" if known["state"] == "done" else known["state"]
            self.found[trial.name] = {**known, **plan, "state": state}
        elif then != json.loads(json.dumps(plan)) and then != plan:
            raise ValueError(
                f"{self.folder} holds trial {trial.name} with other settings: {_difference(then, plan)}; what was trained "
                "is never mixed: name another folder in the study file, or bring the settings back"
            )

    def _read(self) -> dict:
        if not self.path.exists():
            return {}
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
            trials = told["trials"].values()
            if not all(trial["state"] in STATES for trial in trials):
                raise ValueError("a trial is in no known state")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.path} cannot be read ({error}): restore it, or delete it; trials are known by their run folders too"
            ) from error
        if told.get("format", 0) > FORMAT:
            raise ValueError(f"{self.path} was made by a newer bridle, {told.get('bridle')}: upgrade bridle")
        if told.get("name") != self.study.name:
            raise ValueError(
                f"{self.folder} holds the study {told.get('name')!r}, not {self.study.name!r}: name another folder"
            )
        return told


def _is_longer(then: Mapping, now: Mapping) -> bool:
    """Does the study file ask for more env steps than it did, and change nothing else?"""
    old, new = then["settings"] or {}, now["settings"]
    if "steps" not in old or "steps" not in new or not int(new["steps"]) > int(old["steps"]):
        return False
    return json.loads(json.dumps({**now, "settings": {**new, "steps": old["steps"]}})) == then


def check_folder(folder: Path) -> None:
    """Can runs be written there? `ValueError` if not."""
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    probe = above / ".bridle-may-write"
    try:
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is no folder")
        probe.touch()
    except OSError as error:
        why = error.strerror or error
        raise ValueError(f"folder {folder} cannot be written ({why}): name another in the study file") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


@contextmanager
def _full_disk_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder).free / 1e6
        text = f"the disk of {folder} is full ({free:.0f} MB free): free some space and say the same command again"
        raise OSError(error.errno, text) from error


def _difference(then: Mapping, now: Mapping) -> str:
    for key in ("algorithm", "preset"):
        if then[key] != now[key]:
            return f"{key} was {then[key]}, the study file says {now[key]}"
    old, new = then["settings"] or {}, now["settings"]
    key = next(key for key in [*new, *old] if old.get(key) != new.get(key))
    return f"{key} was {old.get(key)}, the study file says {new.get(key)}"
