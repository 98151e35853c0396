"""The Ray engine: the same processes, placed by Ray Tune on this machine or on a cluster that shares our folder.

Tune's own record of an experiment is not read back: run folders and `study.json` know exactly what is left.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune

from bridle.study.sweep.board import Board
from bridle.study.sweep.job import Job
from bridle.study.sweep.local import PATIENCE, TICK
from bridle.study.sweep.plan import Study, Trial, cells
from bridle.study.sweep.process import Place

STOP = "stop"
"""A file in a study's folder: where it lies, trials save and leave."""
QUIET = {
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}


def check(asked: Any, study: Study) -> None:
    """Can this engine do what is asked?"""
    if study.search and len(cells(study)) > 1:
        raise ValueError(
            f"[search] compares returns, so it takes one algorithm, environment, limit and preset and no grid; the study "
            f"has {len(cells(study))} combinations: {', '.join(cells(study)[:4])} ..."
        )


def run(job: Job, board: Board, must_stop: Callable[[], bool]) -> None:
    """Train what is left; Ray is started here, or found at the job's address."""
    if not job.left:
        return
    stop = job.folder.absolute() / STOP
    stop.unlink(missing_ok=True)
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    board.say(f"ray       {job.address or 'on this machine'}")
    where = {"address": job.address} if job.address else {"num_cpus": job.workers * job.study.cpus}
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    dashboard = None if job.address else False
    ray.init(**where, include_dashboard=dashboard, log_to_driver=False, logging_level="error")
    for (
        number,
        handler,
    ) in heard.items():  # Ray has put its own there, and SIGTERM would end us before trials have saved
        signal.signal(number, handler)
    watch = Watch(job, board, must_stop, stop)
    try:
        _tuner(job, watch).fit()
    finally:
        stop.touch()  # whatever happened, trials may save before Ray is gone
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and any(place.is_held() for place in job.places.values()):
            time.sleep(TICK)
        ray.shutdown()
        stop.unlink(missing_ok=True)
    watch.close()


def train(config: dict[str, Any]) -> None:
    """What a worker of Ray does: train a group of trials, one after another, until the study is told to stop."""
    codes = {}
    for told in json.loads(config["trials"]):
        place = Place(Path(config["folder"]), Trial(**told))
        codes[place.trial.name] = _train_one(place, Path(config["stop"]), config["cpus"], config["cwd"])
    tune.report({"codes": json.dumps(codes)})


def _train_one(place: Place, stop: Path, cpus: int, cwd: str) -> int | None:
    """The exit code of its process; None where it is not ours, or was not begun."""
    while place.is_held():
        if stop.exists():
            return None
        time.sleep(TICK)
    if stop.exists() or place.is_complete():
        return None
    place.make_way()
    process, told = place.start(cpus, cwd), False
    while process.poll() is None:
        if stop.exists() and not told:
            process.send_signal(signal.SIGTERM)
            told = True
        time.sleep(TICK)
    return process.returncode


class Watch(tune.Callback, tune.Stopper):
    """Sees each trial of Tune begin and end, in the driver, and ends the experiment when it is time."""

    def __init__(self, job: Job, board: Board, must_stop: Callable[[], bool], stop: Path):
        self.job, self.board, self.must_stop, self.stop = job, board, must_stop, stop
        self.running: dict[str, list[str]] = {}

    def on_step_end(self, iteration, trials, **info):
        """Often called, by Tune's loop."""
        self.board.show([name for names in self.running.values() for name in names])
        if self.must_stop() and not self.stop.exists():
            self.stop.touch()

    def on_trial_start(self, iteration, trials, trial, **info):
        """Tune has begun a trial."""
        if self.stop.exists() or not self.job.has_room():
            return
        names = [one["name"] for one in json.loads(trial.config["trials"])]
        self.running[trial.trial_id] = names
        for name in names:
            if self.job.places[name].is_held():
                self.board.say(f"goes on   {name}: another process trains it, it is waited for")
            self.board.say(self.job.begin(name))

    def on_trial_complete(self, iteration, trials, trial, **info):
        """A trial's function has come to its end."""
        codes = json.loads((trial.last_result or {}).get("codes", "{}"))
        for name in self.running.pop(trial.trial_id, []):
            self.board.say(self.job.judge(name, codes.get(name)))

    def on_trial_error(self, iteration, trials, trial, **info):
        """A trial's function has raised, or its worker has died; what it had trained to the end before is done."""
        for name in self.running.pop(trial.trial_id, []):
            ours = self.stop.exists() or self.job.places[name].is_complete()
            self.board.say(self.job.judge(name, None if ours else 1, _error_of(trial)))

    def close(self) -> None:
        """Judge what Tune has said nothing about."""
        for names in self.running.values():
            for name in names:
                self.board.say(self.job.judge(name, None))

    def __call__(self, trial_id, result):
        """Tune asks whether one trial should stop early: none should."""
        return False

    def stop_all(self):
        """Tune asks whether to end: yes, when all trials have saved."""
        return self.stop.exists() and not self.running


def _error_of(trial: Any) -> str:
    """The last line of what Ray says about it."""
    try:
        lines = Path(trial.error_file).read_text(encoding="utf-8").split("\n")
    except (OSError, TypeError):
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "its worker of Ray died")


def _tuner(job: Job, watch: Watch) -> tune.Tuner:
    searcher, space = None, None
    if job.study.search:
        from bridle.study.sweep.search import Search

        searcher = Search(job, lambda trials: asked_of(job, trials))
    else:
        space = {**asked_of(job, []), "trials": tune.grid_search([_json([trial]) for trial in job.left])}
    home = job.folder.absolute() / "trials" / "ray"
    return tune.Tuner(
        tune.with_resources(train, {"cpu": job.study.cpus, "gpu": int(any(map(_needs_gpu, job.left)))}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1 if searcher else 1,
            max_concurrent_trials=job.workers or None,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=time.strftime("%Y%m%d-%H%M%S"), storage_path=str(home), verbose=0, callbacks=[watch], stop=watch
        ),
    )


def _needs_gpu(trial: Trial) -> bool:
    return trial.settings.get("device") == "gpu"


def asked_of(job: Job, trials: list[Trial]) -> dict[str, Any]:
    """What a worker must know to train these trials."""
    folder = job.folder.absolute()
    about = {"folder": str(folder), "stop": str(folder / STOP), "cpus": job.study.cpus, "cwd": os.getcwd()}
    return {**about, "trials": _json(trials)}


def _json(trials: list[Trial]) -> str:
    return json.dumps([trial._asdict() for trial in trials])
