"""A study from its file to its end: what is left is looked up, checked whole, then trained by an engine, and told."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from bridle.core.machine import cores
from bridle.run.folder import RunFolder
from bridle.run.stop import OF_A_DRIVER, Stopper
from bridle.study.sweep import chance, plan
from bridle.study.sweep.board import Board, duration
from bridle.study.sweep.job import Job
from bridle.study.sweep.manifest import Manifest, check_folder
from bridle.study.sweep.nested import get
from bridle.study.sweep.plan import Study, Trial
from bridle.study.sweep.process import Place

ENGINES = {"local": "bridle.study.sweep.local", "ray": "bridle.study.sweep.ray_engine"}
"""Each has `check(asked, study)` and `run(job, board, must_stop)`."""


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    file: Path
    engine: str = "local"
    address: str | None = None
    workers: int | None = None
    max_minutes: float | None = None
    dry_run: bool = False
    retry_failed: bool = False

    def __str__(self):
        words = ["bridle sweep", str(self.file)]
        words += ["--engine ray"] if self.engine == "ray" else []
        for name in ("address", "workers", "max_minutes"):
            if (value := getattr(self, name)) is not None:
                words.append(f"--{name.replace('_', '-')} {value}")
        return " ".join(words)


def sweep(asked: Asked, say: Callable[[str], None] = print) -> int:
    """Train what is left of a study; 0, 1 if a trial failed (now or before) or the disk is full, 128 + a signal."""
    study = plan.read(asked.file)
    trials = plan.trials(study)
    folder = plan.folder_of(study)
    engine = _engine(asked, study)
    workers = asked.workers or (0 if asked.address else max(1, cores() // study.cpus))
    engine.check(asked, study)
    check_folder(folder)
    manifest = _look(folder, study, trials)
    left = manifest.named(*_to_train(asked))
    totals, theirs = _checked(folder, manifest, left)
    if asked.dry_run:
        _tell_plan(study, manifest, len(left), workers, say)
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with RunFolder(folder, {}).lock(), Stopper(OF_A_DRIVER) as stopper:
        manifest = _look(folder, study, trials, theirs)
        left = [trial for trial in manifest.named(*_to_train(asked)) if trial.name in totals]
        for trial in left:
            manifest.found[trial.name] |= {"state": "waiting"}
        manifest.save()
        end = time.monotonic() + 60 * asked.max_minutes if asked.max_minutes else None
        job = Job(folder, study, manifest, left, totals, workers, asked.address, asked.retry_failed)
        with Board(job) as board:
            _tell_begin(job, board)
            engine.run(
                job, board, lambda: stopper() or job.disk_is_full or (end is not None and time.monotonic() > end)
            )
            return _tell_end(job, board, asked, stopper)


def _engine(asked: Asked, study: Study) -> ModuleType:
    """The module of an engine, if what it needs is installed."""
    needed = {"local": [], "ray": ["ray", "optuna"] if study.search else ["ray"]}[asked.engine]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise ValueError(f"--engine {asked.engine} needs {', '.join(missing)}: pip install 'bridle[ray]'")
    return importlib.import_module(ENGINES[asked.engine])


def _to_train(asked: Asked) -> tuple[str, ...]:
    return ("waiting", "running", "failed") if asked.retry_failed else ("waiting", "running")


def _look(folder: Path, study: Study, trials: list[Trial], theirs: Sequence[str] = ()) -> Manifest:
    """The manifest, and what the run folders say beyond it: a driver that was killed could write no more.

    `theirs`: trials whose runs somebody else has begun, with the same settings.
    """
    manifest = Manifest(folder, study, trials)
    for name in theirs:
        manifest.found[name].setdefault("started", "by somebody else")
    for trial in manifest.named("waiting", "running"):
        place = Place(folder, trial)
        if "started" in manifest[trial.name] and not place.is_held() and place.is_complete():
            manifest.found[trial.name] |= {"state": "done", "result": place.result()}
    return manifest


def _checked(folder: Path, manifest: Manifest, left: list[Trial]) -> tuple[dict[str, int], list[str]]:
    """Env steps of each trial that is left, and which of them somebody else began; every error in any is raised here."""
    if not left:
        return {}, []
    import jax

    from bridle.study.sweep import fit

    if not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")  # a driver takes no accelerator from its trials

    found, theirs = fit.check(left), []
    for trial in left:
        run = Place(folder, trial).opened()
        if run is None or "started" in manifest[trial.name]:
            continue
        if (other := fit.differs(found[trial.name], run)) is not None:
            raise ValueError(
                f"{run.path} holds a run that is none of this study: {other}; move it, or name another folder"
            )
        theirs.append(trial.name)
    return {name: one.options.steps for name, one in found.items()}, theirs


def _tell_plan(study: Study, manifest: Manifest, left: int, workers: int, say: Callable[[str], None]) -> None:
    """What would be done, with what was drawn for each sample."""
    width = max(map(len, manifest.trials))
    drawn = [] if study.search else list(chance.leaves_of(study.random))
    for name, trial in manifest.trials.items():
        values = [f"{'.'.join(path)} = {get(trial.settings, path)}" for path in drawn]
        told = f"{trial.algorithm} on {trial.env}" + (f": {', '.join(values)}" if values else "")
        say(f"{name:{width}}  {manifest[name]['state']:8} {told}")
    counts = ", ".join(f"{count} {state}" for state, count in manifest.counts().items() if count)
    cores_each = f"{study.cpus} core{'s' * (study.cpus > 1)} each"
    say(
        f"{len(manifest.trials)} trials in {manifest.folder}: {counts}; {left} to train, "
        f"{workers or 'as many as fit'} at once, {cores_each}"
    )


def _tell_begin(job: Job, board: Board) -> None:
    counts = job.manifest.counts()
    told = [f"{len(job.manifest.trials)} trials in {job.folder}", f"{len(job.left)} to train"]
    told += [f"{counts['done']} done before"] * bool(counts["done"])
    told += [f"{counts['failed']} failed before (--retry-failed tries them again)"] * bool(counts["failed"])
    board.say(f"study     {job.study.name}: {', '.join(told)}")


def _tell_end(job: Job, board: Board, asked: Asked, stopper: Stopper) -> int:
    """What came of it, and how to go on; the exit code."""
    counts = job.manifest.counts()
    board.say(
        f"study     {job.study.name}: {counts['done']} of {len(job.manifest.trials)} done, {counts['failed']} failed, "
        f"{counts['waiting'] + counts['running']} left, after {duration(board.elapsed())}"
    )
    for trial in job.manifest.named("failed"):
        known = job.manifest[trial.name]
        board.say(f"failed    {trial.name}: {known.get('error')}\n          log: {known.get('log')}")
    if job.disk_is_full:
        board.say(f"stopped   the disk of {job.folder} is full: nothing saved is lost; free some space, then go on")
    if counts["waiting"] + counts["running"]:
        board.say(f"go on with: {asked}")
    elif counts["failed"]:
        board.say(f"try the failed ones again with: {asked} --retry-failed")
    else:
        board.say(f"run folders: {job.folder}")
    if stopper():
        return stopper.exit_code
    return 1 if counts["failed"] or job.disk_is_full else 0
