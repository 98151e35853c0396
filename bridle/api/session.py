"""A run from its preparation to its end: a config meets a world, and both are handed to the loop."""

from __future__ import annotations

import dataclasses
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax

import bridle
from bridle import algorithms, envs
from bridle.api import asked, worlds
from bridle.api.asked import Asked
from bridle.core.algorithm import Algorithm
from bridle.core.names import one_each
from bridle.core.types import CostLimit, Spec, World
from bridle.data.replay import Ring
from bridle.maths.moments import Moments
from bridle.run import arrays, checkpoint, records
from bridle.run import device as devices
from bridle.run import folder as folders
from bridle.run import train as loop
from bridle.run.collect import Collector
from bridle.run.duties import Duties, Rows
from bridle.run.evaluate import Evaluator
from bridle.run.learning import is_over
from bridle.run.log import Display, Log
from bridle.run.log import read as read_rows
from bridle.run.options import Options
from bridle.run.stop import Stopper
from bridle.run.tally import Tally, columns


class Result(NamedTuple):
    """How a training ended."""

    run: Path
    """The run folder."""
    step: int
    """Env steps, summed over all copies."""
    returns: float | None
    """Mean return of the last evaluation; None if the run stopped before one in this sitting."""
    cost: tuple[float, ...] | None
    """Its mean cost of an episode, one number a constraint."""
    feasible: bool | None
    """Did it meet every limit?"""
    exit_code: int = 0
    """0, 128 + the signal that stopped the run; 1 where, beside other seeds, it failed."""
    error: str | None = None
    """Why it failed, beside other seeds; alone, a run raises."""


@dataclasses.dataclass
class Training:
    """A run that is ready to go: everything that can be wrong in what was asked was looked at."""

    name: str
    """Of the algorithm."""
    config: Any
    options: Options
    algorithm: Algorithm
    limit: CostLimit
    world: World
    trial: World
    """Where it is evaluated."""
    lines: list[str]
    """What is said at its start."""
    path: Path
    record: dict | None = None
    """What `config.json` will hold, where the run is new."""
    start: checkpoint.Loaded | None = None
    """The checkpoint that it goes on from."""
    networks: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Parts of the state that another run has learned."""
    traced: bool = False
    """Does a traceback of this sitting lie in the run's log?"""

    def go(self, grace: float | None = None) -> Result:
        """Train up to `options.steps`; a signal ends the process after `grace` seconds whatever happens (see `Stopper`)."""
        if self.start is not None and self.start.step >= self.options.steps:
            print("\n".join(self.lines))
            return Result(self.path, self.start.step, None, None, None)
        if self.record is not None:
            folders.create(self.path, self.record)
        run = folders.open_run(self.path)
        with run.lock(), Stopper(grace=grace) as stopper:
            try:
                if checkpoint.newest(self.path) != (self.start and self.start.newest):
                    raise BlockingIOError(f"{self.path} was trained by another process meanwhile; resume it again")
                return self._train(stopper)
            finally:
                self.world.close()
                self.trial.close()

    def _train(self, stopper: Stopper) -> Result:
        total, begun = self.options.steps, self.start.step if self.start else 0
        shown = tuple(one_each("cost", len(self.limit.limit)))
        title = f"{self.name} on {self.world.spec.name}, seed {self.options.seed}"
        with (
            Log(self.path, columns(len(self.limit.limit))) as log,
            Display(self.path, total, self.limit.limit, shown, start=begun, title=title) as display,
        ):
            for line in self.lines:
                display.say(line)
            try:
                progress, duties = self._begin(log, display)
                work = duties.collector, duties.memory, total, self.options.seed, progress
                progress = loop.train(self.algorithm, *work, duties.list(), duties.report, stopper)
                if stopper():
                    duties.save(progress)
                duties.saver.wait()
            except BaseException as error:  # a person is told by the caller
                display.say("".join(traceback.format_exception(error)).rstrip(), quiet=True)
                self.traced = True
                is_over()
                raise
            return self._end(progress, duties, stopper)

    def _begin(self, log: Log, display: Display) -> tuple[loop.Progress, Duties]:
        """Everything that the loop needs, new or as a checkpoint has it."""
        options, spec, seed = self.options, self.world.spec, self.options.seed
        collector = Collector(self.world, self.algorithm, seed)
        progress = loop.begin(self.algorithm, seed)
        if self.networks:
            progress = loop.begin(self.algorithm, seed, progress.state._replace(**self.networks))
        extras = collector.example_extras(progress.actor)
        duties = Duties(
            path=self.path,
            options=options,
            limit=self.limit,
            algorithm=self.algorithm,
            block=loop.block_rows(self.algorithm, spec.num_envs) * spec.num_envs,
            collector=collector,
            memory=Ring(spec, self.algorithm.memory, extras, self.algorithm.columns),
            evaluator=Evaluator(self.trial, self.algorithm, seed),
            display=display,
            log=log,
            saver=checkpoint.Saver(self.path, options.keep, self.start.path if self.start else None),
            tally=Tally(),
        )
        if self.start is not None:
            return _restore(self.start, progress, duties), duties
        duties.save(progress)  # so that a run can be resumed from its first moment on
        return progress, duties

    def _end(self, progress: loop.Progress, duties: Duties, stopper: Stopper) -> Result:
        say = duties.display.say
        if stopper() and progress.step < self.options.steps:
            say(f"stopped at step {progress.step:,} and saved; go on with: bridle resume {self.path}")
        found = duties.evaluation
        if found is None:
            return Result(self.path, progress.step, None, None, None, stopper.exit_code)
        cost = tuple(float(c) for c in found.cost.mean(0))
        feasible = found.feasible(self.limit.limit)
        if progress.step >= self.options.steps:
            told = f", cost {', '.join(f'{c:.2f}' for c in cost)}" if self.world.spec.constraints else ""
            verdict = "meets" if feasible else "exceeds"
            limit = ", ".join(f"{x:g}" for x in self.limit.limit)
            against = f", which {verdict} the limit {limit}" if self.limit.limit else ""
            how = "sampled actions" if duties.evaluator.sampled else "the policy's mean"
            say(
                f"done: return {found.returns.mean():.1f}{told}{against} "
                f"(last evaluation: {len(found.returns)} episodes, {how})"
            )
            say(f"run folder: {self.path}")
        code = stopper.exit_code if progress.step < self.options.steps else 0
        return Result(self.path, progress.step, float(found.returns.mean()), cost, feasible, code)


def prepare(what: Asked) -> Training:
    """What `train` does before anything is written: every error in what was asked is raised here."""
    name, config, options, told, cost_fn = what.name, what.config, what.options, what.env, what.cost_fn
    if not what.copies and not worlds.makes(told):
        options = dataclasses.replace(options, num_envs=worlds.copies_of(told))
    _check_paths(options)
    device = devices.choose(options.device)
    source = options.env if told is None else told
    twin = worlds.twin_of(source)
    world = worlds.make(source, options, options.num_envs, cost_fn)
    trial = worlds.trial_world(twin, options, min(options.eval_episodes, 10), cost_fn)
    if told is not None:
        options = dataclasses.replace(options, env=world.spec.name)
    spec, lines = worlds.with_horizon(world, trial, options)
    worlds.check_cost(config, spec)
    limit = worlds.limit_of(options, spec)
    algorithm = config.build(spec, limit)
    path = Path(options.run) if options.run else folders.default_path("runs", options.env, name, options.seed)
    record = {
        "algorithm": name,
        "class": f"{type(config).__module__}:{type(config).__qualname__}",
        "preset": what.preset,
        "config": records.to_json(config),
        "options": records.to_json(dataclasses.replace(options, run=str(path))),
        "notes": dict(spec.notes),
        "spec": folders.spec_to_json(spec),
        "bounds": worlds.bounds_of(world),
        "env_object": None if told is None else world.spec.name,
        "cost_fn_object": None if cost_fn is None else getattr(cost_fn, "__qualname__", type(cost_fn).__name__),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
    training = Training(name, config, options, algorithm, limit, world, trial, lines, path, record)
    return _opened(training, spec, device, what.preset)


def _opened(training: Training, spec: Spec, device: str, preset: str | None) -> Training:
    """A run that begins: what it says first, and the networks that it starts from."""
    training.lines = _opening(training, spec, device, preset) + training.lines
    if training.options.from_run is not None:
        training.networks = _networks_of(training.options.from_run, training.algorithm, training.lines.append)
    return training


def _check_paths(options: Options) -> None:
    """Is the run's folder free, and is the run to start from one?"""
    if options.run is not None:
        folders.check_free(Path(options.run))
    if options.from_run is not None:
        folders.open_run(options.from_run)


def prepare_resume(
    run: Path | str, steps: int | None = None, env: Any = None, config: Any = None, cost_fn: Any = None
) -> Training:
    """What `resume` does before it goes on, or, where a run was asked for and never began, before it begins."""
    found = folders.open_run(run)
    options = asked.recorded_options(found)
    source, cost_fn = asked.recorded_env(found, env), asked.recorded_cost(found, cost_fn)
    device = devices.choose(options.device)
    lines: list[str] = []
    start = checkpoint.load(found.path, None, say=lines.append) if _has_begun(found) else None
    if start is not None and steps is not None and steps <= start.step:
        raise ValueError(f"steps = {steps}, but {found.path} stands at step {start.step:,}; allowed: a greater total")
    options = dataclasses.replace(options, steps=steps or (start.facts["total"] if start else options.steps))
    config = asked.recorded_config(found, config)
    twin = worlds.twin_of(source)
    world = worlds.make(source, options, options.num_envs, cost_fn)
    spec = dataclasses.replace(folders.spec_from_json(found.config["spec"]), rules=world.spec.rules)
    worlds.check_same(world.spec, spec)
    limit = worlds.limit_of(options, spec)
    algorithm = config.build(spec, limit)
    trial = worlds.trial_world(twin, options, min(options.eval_episodes, 10), cost_fn)
    training = Training(
        found.config["algorithm"], config, options, algorithm, limit, world, trial, lines, found.path, None, start
    )
    if start is None:
        return _opened(training, spec, device, found.config["preset"])
    if start.step < options.steps:
        lines += [f"resumed   {found.path} at step {start.step:,} of {options.steps:,}, {device}"]
    else:
        lines += [f"{found.path} is complete at step {start.step:,}; a greater total goes on: --steps {2 * start.step}"]
    return training


def _has_begun(found: folders.RunFolder) -> bool:
    """Was anything saved, or any row written? Else to resume the run is to begin it."""
    rows = found.metrics.exists() and len(read_rows(found.metrics)["step"]) > 0
    return rows or any((found.path / "checkpoints").glob("step-*"))


def _restore(start: checkpoint.Loaded, progress: loop.Progress, duties: Duties) -> loop.Progress:
    """Take everything from a checkpoint: the learner, the memory, the open episodes, counters, rows."""
    facts = start.facts
    state = arrays.restore(progress.state, arrays.below(start.tree, "state"))
    actor = arrays.restore(progress.actor, arrays.below(start.tree, "actor"))
    if start.rows is not None:
        duties.memory.refill(start.rows.whole, start.rows.chunks, start.rows.total)
    source = arrays.below(start.tree, "source")
    if source:
        carry = arrays.restore(duties.collector.carry, arrays.below(source, "carry"))
        world = arrays.below(source, "world")
        kinds = source.get("kinds", duties.collector.kinds)
        duties.collector.set_state({"world": world, "carry": carry, "fresh": source["fresh"], "kinds": kinds})
    else:
        duties.collector.restart(start.step)
        duties.memory.forget_open_episodes()
        duties.display.say(
            "note      this environment tells no state (get_state, set_state): its open episodes were dropped and begin "
            "anew with seeds that follow from the run's, so the run goes on as well, but not bit for bit"
        )
    duties.tally = Tally(facts["seconds"], start.step, facts["updates"])
    duties.tally.set_state(facts["tally"])
    duties.first_updates = facts["updates"]
    rows = Rows(**facts["rows"])
    duties.log.cut(rows.last)
    if rows.amended is not None:
        duties.log.write(rows.amended)
        rows = Rows(int(rows.amended["step"]))
    duties.rows = rows
    return loop.Progress(state, actor, start.step, facts["updates"], facts["due"], facts["since"])


def _networks_of(run: str, algorithm: Algorithm, say: Callable[[str], Any]) -> dict[str, Any]:
    """The networks of another run: all fields of the state that are modules, or lists of them, and the moments by which
    observations are normalised for them. Optimisers and duals are not."""
    found = folders.open_run(run)
    named, facts = checkpoint.load_arrays(found.path)
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    taken = {}
    for name, like in state._asdict().items():
        if like == () and arrays.below(named, f"state/{name}/mean"):
            raise ValueError(
                f"the networks of {found.path} have learned on normalised observations: they need --normalise-obs here too"
            )
        if not (_is_network(like) or isinstance(like, Moments)):
            continue
        try:
            taken[name] = arrays.restore(like, arrays.below(named, f"state/{name}"))
        except ValueError as error:
            raise ValueError(f"the networks of {found.path} do not fit: {name}: {error}") from error
    say(f"networks  {', '.join(taken)} from {found.path} at step {facts['step']:,}")
    return taken


def _idle(algorithm: Algorithm, options: Options) -> list[str]:
    """A word where a run ends before it learns."""
    first = min((u.start + (u.every if isinstance(u.every, int) else 0) for u in algorithm.updates), default=0)
    if options.steps >= first:
        return []
    return [f"note      learning begins at step {first:,}: {options.steps:,} env steps end before"]


def _is_network(value: Any) -> bool:
    if type(value) in (tuple, list):
        return len(value) > 0 and all(map(_is_network, value))
    return isinstance(value, eqx.Module) and callable(value)


def _opening(training: Training, spec: Spec, device: str, preset: str | None) -> list[str]:
    """What a run says at its start."""
    options, config = training.options, training.config
    default = type(config)() if _has_default(type(config)) else None
    changed = [
        f"{field.name}={getattr(config, field.name)!r}"
        for field in dataclasses.fields(config)
        if default is None or getattr(config, field.name) != getattr(default, field.name)
    ]
    notes = ", ".join(f"{name} {text}" for name, text in spec.notes)
    horizon = f"{spec.horizon} steps an episode" if spec.horizon else "episodes of unknown length"
    return [
        f"bridle {bridle.__version__}",
        f"run       {training.path}",
        f"algorithm {training.name}" + (f", preset {preset}" if preset else ""),
        *(["          " + ", ".join(changed)] if changed else []),
        f"env       {spec.name}, {horizon}" + (f", {notes}" if notes else ""),
        *(f"limit     {line}" for line in training.algorithm.about),
        f"training  {options.steps:,} env steps on {spec.num_envs} copies, seed {options.seed}, {device}",
        *(_idle(training.algorithm, options)),
        *(_tuned(training.name, options.env) if preset is None else []),
    ]


def _tuned(algorithm: str, env: str) -> list[str]:
    """A word on the preset that was tuned for the suite of `env`, if there is one."""
    from bridle.algorithms.presets import PRESETS

    bare = env.removeprefix("bridle/")
    suite = envs.suite_of(bare) if bare in envs.tasks() and ":" not in algorithm else None
    found = [name for name, one in PRESETS.items() if one.suite == suite and algorithms.is_of(name, algorithm)]
    return [f"hint      --preset {name} was tuned for tasks like this one" for name in found]


def _has_default(kind: type) -> bool:
    missing = dataclasses.MISSING
    return all(f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(kind) if f.init)
