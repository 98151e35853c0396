"""Several seeds of one training, each in a run folder of its own: processes side by side, or one after another here.

Decision 0018 says why not one batched program.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from bridle.api import worlds
from bridle.api.asked import Asked
from bridle.api.session import Result, Training, prepare, prepare_resume
from bridle.core.machine import cores
from bridle.run import checkpoint, log
from bridle.run import folder as folders
from bridle.run.cores import held
from bridle.run.options import Options
from bridle.run.processes import environment, why
from bridle.run.stop import OF_A_DRIVER, Stopper
from bridle.run.together import Together

TICK = 0.2
"""Seconds between two looks at the processes."""
PATIENCE = 15.0
"""Seconds that they have to save and leave; `bridle resume` takes at most 9."""


def train(what: Asked, grace: float | None = None) -> tuple[Result, ...]:
    """Train each of `what.seeds` as if it were asked for alone; the results in their order.

    A seed that fails stops only itself (`Result.error`); a signal makes all of them save. What is wrong with what was
    asked is raised before anything starts. Every run folder is there from the beginning on, so that also a seed that
    was stopped before its turn can be resumed.
    """
    envs = {seed: worlds.twin_of(what.env) for seed in what.seeds}  # copied before anything steps one of them
    training, paths = _create(what)
    if can_leave(what):
        _tell(training, paths)
        results = _side_by_side(paths, what.options, grace)
    else:
        results = _in_turn(what, paths, envs, grace)
    for seed, result in results.items():
        if result.exit_code > 128 and result.step == 0:
            print(f"seed {seed} was not begun; begin it with: bridle resume {result.run}")
        if result.error is not None:
            print(f"bridle: seed {seed}: {result.error}", file=sys.stderr)
    return tuple(results.values())


def can_leave(what: Asked) -> bool:
    """Are the seeds trained by other processes? Only what has a name can be told to them; an accelerator is left to one."""
    named = what.env is None and what.cost_fn is None and ":" not in what.name
    return named and what.options.device == "cpu" and len(what.seeds) > 1


def _create(what: Asked) -> tuple[Training, dict[int, Path]]:
    """A run folder for each seed, and the training of the first, as it was prepared to see what is wrong."""
    parent, first = what.options.run, what.seeds[0]
    if parent and (Path(parent) / "config.json").exists():
        raise FileExistsError(
            f"{parent} is a run folder itself; with seeds, run names the folder that theirs are put into: name another"
        )
    paths = {seed: Path(parent, f"seed-{seed}") for seed in what.seeds} if parent else {}
    for path in paths.values():
        folders.check_free(path)
    options = dataclasses.replace(what.options, seed=first, run=str(paths[first]) if parent else None)
    training = prepare(what._replace(options=options, env=worlds.twin_of(what.env)))
    training.world.close()
    training.trial.close()
    if not parent:
        others = {seed: folders.default_path("runs", training.options.env, what.name, seed) for seed in what.seeds[1:]}
        paths = {first: training.path, **others}
    for seed, path in paths.items():
        told = {**training.record["options"], "seed": seed, "run": str(path)}
        folders.create(path, {**training.record, "options": told})
    return training, paths


# One after another ----------------------------------------------------------------------------------------------------


def _in_turn(what: Asked, paths: dict[int, Path], envs: dict[int, Any], grace: float | None) -> dict[int, Result]:
    results: dict[int, Result] = {}
    for seed, path in paths.items():
        code = max((result.exit_code for result in results.values()), default=0)
        if code > 128:
            results[seed] = Result(path, 0, None, None, None, code)
            continue
        env = what.options.env if what.env is None else envs[seed]
        try:
            results[seed] = prepare_resume(path, None, env, what.config, what.cost_fn).go(grace)
        except Exception as error:  # noqa: BLE001 (whatever an environment raises: it stops this seed alone)
            known = isinstance(error, ValueError | RuntimeError | OSError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            results[seed] = _told(path, 1, text)
    return results


# Side by side ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Child:
    """A process that trains one seed."""

    path: Path
    process: subprocess.Popen
    errors: IO[str]
    """What it says on stderr."""

    def result(self, stopped: int) -> Result:
        """What it left; `stopped`: the exit code of a signal that came to us, or 0."""
        with self.errors as file:
            file.seek(0)
            said = file.read().splitlines()
        code = self.process.returncode
        if code == -signal.SIGTERM:  # before it could hear one
            code = 128 + signal.SIGTERM
        if code == 0 or code > 128:
            return _told(self.path, code and (stopped or code))
        if stopped and code == -signal.SIGKILL:
            return _told(self.path, stopped, f"it did not save within {PATIENCE:g} s; its last checkpoint stands")
        return _told(self.path, 1, f"{why(code, said)} (log: {self.path / 'log.txt'})")


def _side_by_side(paths: dict[int, Path], options: Options, grace: float | None) -> dict[int, Result]:
    children: dict[int, Child] = {}
    stopper = Stopper(OF_A_DRIVER, grace and PATIENCE + 5)
    with stopper, Together({f"seed {seed}": path for seed, path in paths.items()}) as board:
        try:
            for seed, path in paths.items():
                children[seed] = _start(path, options, len(paths))
            while any(child.process.poll() is None for child in children.values()) and not stopper():
                board.look()
                time.sleep(TICK)
        finally:
            _stop(children)
            board.look()
    return {seed: child.result(stopper.exit_code) for seed, child in children.items()}


def _share(seeds: int) -> int:
    """Threads of each of so many processes."""
    return max(1, cores() // seeds)


def _tell(training: Training, paths: dict[int, Path]) -> None:
    """What all seeds have in common, and where they lie."""
    share = _share(len(paths))
    print("\n".join(line for line in training.lines if not line.startswith(("run ", "training "))))
    threads = f"{share} thread" + "s" * (share > 1)
    print(f"training  {training.options.steps:,} env steps of {len(paths)} seeds side by side, {threads} each")
    for seed, path in paths.items():
        print(f"run       seed {seed}: {path}", flush=True)


def _start(path: Path, options: Options, seeds: int) -> Child:
    """Begin a run that lies ready, in a session of its own, so that Ctrl-C reaches it through us alone.

    Where there are as many cores as seeds, it gets some of its own.
    """
    words = [sys.executable, "-m", "bridle", "resume", str(path), "--env", options.env]
    words += ["--cost-fn", options.cost_fn] if options.cost_fn is not None else []
    # What this process can import, that one must find too: an environment of the user's, and bridle.
    told = {**environment(_share(seeds)), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    nowhere = subprocess.DEVNULL
    errors = TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 (open as long as the process)
    with held(_share(seeds)) if seeds <= cores() else nullcontext(()) as locks:
        process = subprocess.Popen(
            words, stdin=nowhere, stdout=nowhere, stderr=errors, env=told, start_new_session=True, pass_fds=locks
        )
    return Child(path, process, errors)


def _stop(children: dict[int, Child]) -> None:
    """Let those that still train save and leave; end what does not."""
    left = [child.process for child in children.values() if child.process.poll() is None]
    for process in left:
        process.send_signal(signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    for process in left:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _told(path: Path, code: int, error: str | None = None) -> Result:
    """How a run ended, as its folder tells it."""
    step = max(checkpoint.steps(path), default=0)
    rows = log.read(path / "metrics.csv") if (path / "metrics.csv").exists() else {}
    evaluated = np.flatnonzero(np.isfinite(rows.get("eval/return", [])))
    if not evaluated.size:
        return Result(path, step, None, None, None, code, error)
    last = {name: float(values[evaluated[-1]]) for name, values in rows.items()}
    cost = tuple(value for name, value in last.items() if re.fullmatch(r"eval/cost(_\d+)?", name))
    return Result(path, step, last["eval/return"], cost, bool(last["eval/feasible"]), code, error)
