"""Where a config meets a world: train, resume, evaluate, load. The command line says the same in flags."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bridle
from bridle import envs
from bridle.core.algorithm import Algorithm
from bridle.core.types import CostLimit, Spec, World
from bridle.run import device as devices
from bridle.run import folder as folders
from bridle.run.options import Options

GRACE = 9.0
"""Seconds in which a run that is told to stop saves itself, whatever an environment or an update is doing."""
EVALUATION_SEED = 1_000_003
"""Added to a run's seed, so that `evaluate` meets other episodes than the evaluations during training."""
PROBE_STEPS = 20_000
"""Random env steps in which an environment that tells no horizon is watched for one."""
WAYS_TO_TELL_COST = (
    "it can be told in three ways: info['cost'] at every step; a step that returns six values, the cost after the "
    "reward; or cost_fn(obs, action, next_obs), on the command line --cost-fn module:function"
)


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
    """0, or 128 + the signal that stopped the run."""


def train(config: Any = "cvpo", env: Any = None, *, preset: str | None = None, **settings) -> Result:
    """Train, and leave a run folder.

    `config`: an algorithm's name, or a config value (ours or your own: a dataclass with `build(spec, limit)`). `env`: a
    task of ours, a Gymnasium id, `module:callable`, a callable that makes an environment, or a `gymnasium.Env`. `settings`
    are fields of `run.options.Options` (`cost_limit=10, steps=300_000, seed=1, run="folder"`) and, beside an algorithm's
    name, of its config (`discount=0.99`). `preset` sets what none of these says.
    """
    return prepare(config, env, preset=preset, **settings).go()


def resume(run: Path | str, steps: int | None = None, env: Any = None, config: Any = None) -> Result:
    """Go on with a run from its newest whole checkpoint, up to `steps` env steps in total.

    `env` and `config` are asked for where the run was started with an object or a class of your own.
    """
    return prepare_resume(run, steps, env, config).go()


def evaluate(
    run: Path | str,
    episodes: int = 20,
    sample: bool | None = None,
    seed: int | None = None,
    video: bool = False,
    best: bool = False,
    env: Any = None,
    config: Any = None,
    say: Callable[[str], Any] = print,
):
    """Play whole episodes with a run's last (or best) policy on worlds and seeds of their own, and print a table.

    Returns an `Evaluation` of `returns [F]`, `cost [F C]`, `length [F]`. `video` also leaves one of the first episode
    in the run's `videos/`.
    """
    if episodes < 1:
        raise ValueError(f"episodes = {episodes!r}; allowed: an integer > 0")
    found = folders.open_run(run)
    options = _recorded_options(found)
    source = _recorded_env(found, env)
    from bridle.run.evaluate import Evaluator
    from bridle.run.video import Video

    policy = load(run, best, config)
    world = _trial_world(source, options, min(episodes, 10))
    _check_same(world.spec, policy.spec)
    seed = options.seed + EVALUATION_SEED if seed is None else seed
    evaluator = Evaluator(world, policy.algorithm, seed, sample)
    rate = 1.0 / float(dict(world.spec.notes).get("dt", "0.0333 s").split()[0])
    film = Video(partial(world.render, 0), rate) if video else None
    result = evaluator.play(policy.actor, episodes, watch=film)
    say(_table(found, policy, result, evaluator.sampled, seed))
    if film is not None:
        try:
            path = found.videos / f"{'best' if best else 'last'}-{policy.step:09d}-seed-{seed}"
            say(f"video     {film.save(path)}")
        except (RuntimeError, OSError, ValueError) as error:
            say(f"no video: {error}")
    world.close()
    return result


class Policy:
    """A trained policy, without its environment."""

    def __init__(self, algorithm: Algorithm, config: Any, spec: Spec, bounds: dict | None, actor: Any, facts: dict):
        self.algorithm, self.config, self.spec, self.actor, self.facts = algorithm, config, spec, actor, facts
        self._bounds = bounds
        self._seed = 0
        self.reset()

    @property
    def step(self) -> int:
        """Env steps after which this policy was saved."""
        return int(self.facts["step"])

    def reset(self) -> None:
        """Forget the episodes so far (policies with a memory)."""
        self._carry, self._acts, self._calls = {}, {}, 0

    def predict(self, obs: Any, sample: bool = False, fresh: Any = None) -> np.ndarray:
        """The action at one observation or at a batch [N ...], in the environment's own units.

        The policy's mean, or a sampled action. A policy with a memory goes on with the one of its last call with as many
        observations; `fresh` (bool [N]) tells it which of them begin an episode.
        """
        import jax

        from bridle.run.collect import acting, base_key

        leaf, value = jax.tree.leaves(self.spec.obs)[0], jax.tree.leaves(obs)[0]
        single = np.ndim(value) == len(leaf.shape)
        obs = jax.tree.map(lambda leaf, x: self._read(leaf, x, single), self.spec.obs, obs)
        n = len(jax.tree.leaves(obs)[0])
        if (n, sample) not in self._acts:
            self._acts[n, sample] = acting(self.algorithm, n, sample)
        begun = n in self._carry
        fresh = np.full(n, not begun) if fresh is None else np.broadcast_to(np.asarray(fresh, np.bool_), n)
        carry = self._carry[n] if begun else self.algorithm.begin(n)
        key = base_key(self._seed, "acting")
        self._carry[n], action, _ = self._acts[n, sample](self.actor, carry, fresh, obs, key, np.uint32(self._calls))
        self._calls += 1
        action = self._native(np.asarray(action))
        return action[0] if single else action

    def _read(self, leaf, value, single: bool):
        value = np.asarray(value, leaf.dtype)
        value = value[None] if single else value
        if value.shape[1:] != leaf.shape:
            raise ValueError(f"obs has shape {value.shape[1:]}; allowed: {leaf.shape}, or a batch of these")
        return value

    def _native(self, action: np.ndarray) -> np.ndarray:
        if self._bounds is None:
            return action
        if "start" in self._bounds:
            return action + self._bounds["start"]
        low, high = (np.asarray(self._bounds[name], np.float64) for name in ("low", "high"))
        share = 0.5 * (np.clip(action, -1.0, 1.0).astype(np.float64) + 1.0).reshape(-1, *low.shape)
        return np.clip(low + share * (high - low), low, high).astype(self._bounds["dtype"])


def load(run: Path | str, best: bool = True, config: Any = None) -> Policy:
    """The best (or last) policy of a run. A run of a config class of your own needs an instance as `config`."""
    found = folders.open_run(run)
    options = _recorded_options(found)
    devices.remember()
    import jax

    from bridle.run import arrays, checkpoint

    config = _recorded_config(found, config)
    spec = folders.spec_from_json(found.config["spec"])
    algorithm = config.build(spec, _limit(options, spec))
    like = jax.eval_shape(lambda key: algorithm.actor(algorithm.init(key)), jax.random.key(0))
    if best:
        actor, facts = checkpoint.load_best(found.path, like)
    else:
        named, facts = checkpoint.load_arrays(found.path)
        state = jax.eval_shape(algorithm.init, jax.random.key(0))
        actor = algorithm.actor(arrays.restore(state, arrays.below(named, "state")))
    return Policy(algorithm, config, spec, found.config.get("bounds"), actor, facts)


# A run, from its preparation to its end -----------------------------------------------------------------------------


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
    start: Any = None
    """The checkpoint that it goes on from."""

    def go(self) -> Result:
        """Train up to `options.steps`."""
        from bridle.run.stop import Stopper

        if self.record is not None:
            folders.create(self.path, self.record)
        run = folders.open_run(self.path)
        with run.lock(), Stopper(grace=GRACE) as stopper:
            try:
                return self._train(stopper)
            finally:
                self.world.close()
                self.trial.close()

    def _train(self, stopper) -> Result:
        from bridle.data.replay import Ring
        from bridle.run import train as loop
        from bridle.run.checkpoint import Saver
        from bridle.run.collect import Collector
        from bridle.run.duties import Duties
        from bridle.run.evaluate import Evaluator
        from bridle.run.log import Display, Log
        from bridle.run.tally import Tally, cost_names

        options, spec, seed = self.options, self.world.spec, self.options.seed
        collector = Collector(self.world, self.algorithm, seed)
        progress = loop.begin(self.algorithm, seed)
        extras = collector.example_extras(progress.actor)
        memory = Ring(spec, self.algorithm.memory, extras, self.algorithm.columns)
        costs = max(1, len(spec.constraints))
        names = ["episode/return", *cost_names("episode", costs), "episode/length", "eval/return", "eval/return_std"]
        names += [*cost_names("eval", costs), "eval/length", "eval/feasible"]
        names += ["time/steps_per_s", "time/updates_per_s", "time/seconds"]
        title = f"{self.name} on {spec.name}, seed {seed}"
        shown = tuple(name.removeprefix("eval/") for name in cost_names("eval", costs))
        begun = self.start.step if self.start else 0
        with (
            Log(self.path, names) as log,
            Display(self.path, options.steps, self.limit.limit, shown, start=begun, title=title) as display,
        ):
            for line in self.lines:
                display.say(line)
            duties = Duties(
                path=self.path,
                options=options,
                limit=self.limit,
                algorithm=self.algorithm,
                block=loop.block_rows(self.algorithm, spec.num_envs) * spec.num_envs,
                collector=collector,
                memory=memory,
                evaluator=Evaluator(self.trial, self.algorithm, seed),
                display=display,
                log=log,
                saver=Saver(self.path, options.keep, self.start.path if self.start else None),
                tally=Tally(),
            )
            try:
                if self.start is not None:
                    progress = _restore(self.start, progress, duties)
                elif options.from_run is not None:
                    progress = loop.begin(
                        self.algorithm, seed, _networks_of(options.from_run, progress.state, display.say)
                    )
                if self.start is None:
                    duties.save(progress)  # so that a run can be resumed from its first moment on
                progress = loop.train(
                    self.algorithm,
                    collector,
                    memory,
                    options.steps,
                    seed,
                    progress,
                    duties.list(),
                    duties.report,
                    stopper,
                )
                if stopper():
                    duties.save(progress)
                duties.saver.wait()
            except BaseException as error:
                _tell_failure(display, error)
                _wait_quietly(duties.saver)
                raise
            return self._end(progress, duties, display, stopper)

    def _end(self, progress, duties, display, stopper) -> Result:
        if stopper() and progress.step < self.options.steps:
            display.say(f"stopped at step {progress.step:,} and saved; go on with: bridle resume {self.path}")
        found = duties.evaluation
        if found is None:
            return Result(self.path, progress.step, None, None, None, stopper.exit_code)
        cost = tuple(float(c) for c in found.cost.mean(0))
        feasible = found.feasible(self.limit.limit)
        if progress.step >= self.options.steps:
            told = ", ".join(f"{c:.2f}" for c in cost)
            verdict = "meets" if feasible else "exceeds"
            limit = ", ".join(f"{x:g}" for x in self.limit.limit)
            against = f", which {verdict} the limit {limit}" if self.limit.limit else ""
            how = "sampled actions" if duties.evaluator.sampled else "the policy's mean"
            display.say(
                f"done: return {found.returns.mean():.1f}, cost {told}{against} "
                f"(last evaluation: {len(found.returns)} episodes, {how})"
            )
            display.say(f"run folder: {self.path}")
        code = stopper.exit_code if progress.step < self.options.steps else 0
        return Result(self.path, progress.step, float(found.returns.mean()), cost, feasible, code)


def prepare(config: Any = "cvpo", env: Any = None, *, preset: str | None = None, **settings) -> Training:
    """What `train` does before anything is written: every error in what was asked is raised here."""
    name, options, told, build = resolve(config, env, preset, settings)
    _check_paths(options)
    device = devices.choose(options.device)
    config = build()
    source = options.env if told is None else told
    twin = _twin(source)
    world = _make(source, options, options.num_envs)
    trial = _trial_world(twin, options, min(options.eval_episodes, 10))
    if told is not None:
        options = dataclasses.replace(options, env=world.spec.name)
    spec, options, lines = _with_horizon(world, trial, options)
    limit = _limit(options, spec)
    algorithm = config.build(spec, limit)
    path = Path(options.run) if options.run else folders.default_path("runs", options.env, name, options.seed)
    record = {
        "algorithm": name,
        "class": f"{type(config).__module__}:{type(config).__qualname__}",
        "preset": preset,
        "config": folders.to_json(config),
        "options": folders.to_json(dataclasses.replace(options, run=str(path))),
        "notes": dict(spec.notes),
        "spec": folders.spec_to_json(spec),
        "bounds": _bounds(world),
        "env_object": None if told is None else repr(told),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
    training = Training(name, config, options, algorithm, limit, world, trial, lines, path, record)
    training.lines = _opening(training, spec, device, preset) + lines
    return training


def _check_paths(options: Options) -> None:
    """Is the run's folder free, and is the run to start from one?"""
    if options.run is not None and (path := Path(options.run)).exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"{path} exists and is not empty; nothing saved is ever overwritten: resume that run, or name another folder"
        )
    if options.from_run is not None:
        folders.open_run(options.from_run)


def prepare_resume(run: Path | str, steps: int | None = None, env: Any = None, config: Any = None) -> Training:
    """What `resume` does before it goes on."""
    found = folders.open_run(run)
    options = _recorded_options(found)
    source = _recorded_env(found, env)
    device = devices.choose(options.device)
    from bridle.run import checkpoint

    lines: list[str] = []
    start = checkpoint.load(found.path, None, say=lines.append)
    if steps is not None and steps <= start.step:
        raise ValueError(f"steps = {steps}, but {found.path} stands at step {start.step:,}; allowed: a greater total")
    options = dataclasses.replace(options, steps=steps or start.facts["total"])
    config = _recorded_config(found, config)
    twin = _twin(source)
    world = _make(source, options, options.num_envs)
    spec = folders.spec_from_json(found.config["spec"])
    _check_same(world.spec, spec)
    limit = _limit(options, spec)
    algorithm = config.build(spec, limit)
    trial = _trial_world(twin, options, min(options.eval_episodes, 10))
    name = found.config["algorithm"]
    if start.step < options.steps:
        lines += [f"resumed   {found.path} at step {start.step:,} of {options.steps:,}, {device}"]
    else:
        lines += [f"{found.path} is complete at step {start.step:,}; a greater total goes on: --steps {2 * start.step}"]
    return Training(name, config, options, algorithm, limit, world, trial, lines, found.path, None, start)


def _check_same(spec: Spec, recorded: Spec) -> None:
    """Is this environment like the one that the run was trained on?"""
    for field in ("obs", "action", "constraints"):
        now, then = getattr(spec, field), getattr(recorded, field)
        if now != then:
            raise ValueError(f"environment {spec.name!r} has {field} {now}, but the run was trained on {then}")


def _restore(start, progress, duties):
    """Take everything from a checkpoint: the learner, the memory, the open episodes, counters, rows."""
    from bridle.run import arrays
    from bridle.run.duties import Rows
    from bridle.run.tally import Tally
    from bridle.run.train import Progress

    facts = start.facts
    state = arrays.restore(progress.state, arrays.below(start.tree, "state"))
    actor = arrays.restore(progress.actor, arrays.below(start.tree, "actor"))
    if start.rows is not None:
        duties.memory.refill(start.rows.whole, start.rows.chunks, start.rows.total)
    source = arrays.below(start.tree, "source")
    if source:
        carry = arrays.restore(duties.collector.carry, arrays.below(source, "carry"))
        world = arrays.below(source, "world")
        duties.collector.set_state({"world": world, "carry": carry, "fresh": source["fresh"]})
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
    return Progress(state, actor, start.step, facts["updates"], facts["due"], facts["since"])


def _networks_of(run: str, state, say):
    """`state` with the networks (all that can be called) of another run; optimisers and duals stay fresh."""
    from bridle.run import arrays, checkpoint

    found = folders.open_run(run)
    named, facts = checkpoint.load_arrays(found.path)
    networks = [name for name, value in state._asdict().items() if callable(value)]
    taken = {}
    for name in networks:
        try:
            taken[name] = arrays.restore(getattr(state, name), arrays.below(named, f"state/{name}"))
        except ValueError as error:
            raise ValueError(f"the networks of {found.path} do not fit: {name}: {error}") from error
    say(f"networks  {', '.join(networks)} from {found.path} at step {facts['step']:,}")
    return state._replace(**taken)


# What was asked, resolved ---------------------------------------------------------------------------------------------


def resolve(config: Any, env: Any, preset: str | None, settings: dict):
    """(algorithm's name, options, environment object or None, function that makes the config); loads no JAX."""
    named = isinstance(config, str)
    known = importlib.import_module("bridle.algorithms")  # by name: api stands beside algorithms, not above them
    name = known.check(config) if named else _name_of(config)
    if preset is not None and not named:
        raise ValueError("a preset sets an algorithm's config: pass its name instead of a config")
    chosen = known.preset(preset, name) if preset is not None else None
    fields = [field.name for field in dataclasses.fields(Options)]
    rest = {k: v for k, v in settings.items() if k not in fields}
    if rest and not named:
        raise ValueError(f"no option {next(iter(rest))!r}{envs.nearest(next(iter(rest)), fields)}")
    told = None if env is None or isinstance(env, str) else env
    settings = {**({"env": env} if isinstance(env, str) else {}), **settings}
    asked = {**_fitting(chosen.options, settings, told), **settings} if chosen else settings
    options = {k: v for k, v in asked.items() if k in fields}
    for field in ("cost_limit", "cost_limit_start"):
        if isinstance(options.get(field), int | float):
            options[field] = (options[field],)
    if told is not None and "num_envs" not in settings and not _makes(told):
        options["num_envs"] = _copies(told)
    options = folders.from_json(Options, options)
    envs.parse_args(options.env_args)
    if told is None:
        envs.check(options.env)

    def build():
        if not named:
            return config
        return folders.from_json(known.config_class(name), {**(chosen.config if chosen else {}), **rest})

    return name, options, told, build


def _fitting(options: dict, settings: dict, told: Any) -> dict:
    """A preset's options; the arguments of its environment only for one of the same suite."""
    env = settings.get("env", options.get("env")) if told is None else None
    tasks = envs.tasks()
    same = env is not None and not env.startswith("toy/") and env.removeprefix("bridle/") in tasks
    return {k: v for k, v in options.items() if k != "env_args" or same}


def _name_of(config: Any) -> str:
    if not callable(getattr(config, "build", None)) or not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(
            f"config = {config!r}; allowed: an algorithm's name, or a dataclass value with build(spec, limit)"
        )
    module = type(config).__module__
    if module.startswith("bridle.algorithms."):
        return module.rpartition(".")[2]
    return f"{module}:{type(config).__qualname__}"


def _limit(options: Options, spec: Spec) -> CostLimit:
    """The cost limit, one number for each constraint of the world."""
    count = len(spec.constraints)

    def spread(name, values):
        if len(values) == 1:
            return tuple(values) * count
        if len(values) != count:
            raise ValueError(
                f"{name} = {values}; allowed: one number, or {count}, one for each constraint of {spec.name} "
                f"({', '.join(spec.constraints) or 'none'})"
            )
        return tuple(values)

    if not count:
        hint = "".join(f" ({text})" for name, text in spec.notes if name == "cost")
        raise ValueError(f"environment {spec.name!r} tells no cost{hint}; {WAYS_TO_TELL_COST}")
    start = options.cost_limit_start
    return CostLimit(
        spread("cost_limit", options.cost_limit),
        None if start is None else spread("cost_limit_start", start),
        options.cost_limit_schedule,
        options.cost_limit_steps,
    )


def _with_horizon(world: World, trial: World, options: Options) -> tuple[Spec, Options, list[str]]:
    """The world's spec with a horizon, if there is any: what the world says, what the user says, or what is measured."""
    spec = world.spec
    if spec.horizon is not None:
        if options.horizon not in (None, spec.horizon):
            raise ValueError(
                f"horizon = {options.horizon}, but {spec.name} has episodes of {spec.horizon} steps; an environment that "
                f"can have others takes it as an argument: --env-args horizon={options.horizon}"
            )
        return spec, options, []
    if options.horizon is not None:
        return dataclasses.replace(spec, horizon=options.horizon), options, []
    found = _measured_horizon(trial)
    if found is None:
        return spec, options, []
    line = f"horizon   {found} steps, measured: {spec.name} tells none; --horizon says another"
    return dataclasses.replace(spec, horizon=found), dataclasses.replace(options, horizon=found), [line]


def _measured_horizon(world: World) -> int | None:
    """After how many steps random actions meet a truncation; None if not within PROBE_STEPS."""
    from bridle.run.collect import random_action

    world.reset(np.arange(world.spec.num_envs))
    rng, length = np.random.default_rng(0), np.zeros(world.spec.num_envs, int)
    for _ in range(PROBE_STEPS // world.spec.num_envs):
        out = world.step(random_action(world.spec, rng))
        length += out.valid
        if out.truncated.any():
            return int(length[out.truncated].max())
        length[out.terminated] = 0
    return None


def _copies(env: Any) -> int:
    """How many copies an environment that was passed as an object is."""
    return int(getattr(env, "num_envs", None) or getattr(getattr(env, "spec", None), "num_envs", None) or 1)


def _makes(env: Any) -> bool:
    """Is it a callable that makes environments, and not one of them?"""
    return callable(env) and not hasattr(env, "step")


def _twin(env: Any) -> Any:
    """What to evaluate on: the same name or callable, or a copy of an object."""
    if isinstance(env, str) or _makes(env):
        return env
    try:
        return copy.deepcopy(env)
    except Exception as error:
        raise ValueError(
            f"environment {env!r} cannot be copied for evaluation ({error}); pass a callable that makes it"
        ) from error


def _make(env: Any, options: Options, num_envs: int) -> World:
    return envs.make(env, num_envs, options.cost_fn, **envs.parse_args(options.env_args))


def _trial_world(env: Any, options: Options, num_envs: int) -> World:
    whole = isinstance(env, str) or _makes(env)
    return _make(env, options, num_envs if whole else _copies(env))


def _bounds(world: World) -> dict | None:
    """How actions in [-1, 1] (or from 0) become the environment's own; None if they are its own."""
    while hasattr(world, "world"):
        world = world.world
    actions = getattr(world, "actions", None)
    if actions is None:
        return None
    if not hasattr(actions, "low"):
        return {"start": actions.start}
    return {"low": actions.low.tolist(), "high": actions.high.tolist(), "dtype": str(actions.dtype)}


# What a run folder recorded -------------------------------------------------------------------------------------------


def _recorded_options(found: folders.RunFolder) -> Options:
    return folders.from_json(Options, found.config["options"])


def _recorded_config(found: folders.RunFolder, config: Any) -> Any:
    """The run's config; a class is imported by path inside `bridle.algorithms` alone."""
    path = found.config["class"]
    if config is not None:
        own = f"{type(config).__module__}:{type(config).__qualname__}"
        if own != path:
            raise ValueError(f"config is a {own}, but {found.path} was trained with a {path}")
        return folders.from_json(type(config), found.config["config"])
    module, _, name = path.partition(":")
    if not module.startswith("bridle.algorithms."):
        raise ValueError(
            f"{found.path} was trained with {path}, which is code of yours: pass an instance of it as config=..., in Python"
        )
    return folders.from_json(getattr(importlib.import_module(module), name), found.config["config"])


def _recorded_env(found: folders.RunFolder, env: Any) -> Any:
    """The run's environment. A folder that someone sent may name any code, so what it names is only imported from the
    working directory; otherwise the caller names it again."""
    if env is not None:
        return env
    if found.config.get("env_object"):
        raise ValueError(
            f"{found.path} was trained on an object, {found.config['env_object']}: pass it, or a callable that makes it, "
            f"as env=... (on the command line --env module:callable)"
        )
    name, cost_fn = found.config["options"]["env"], found.config["options"].get("cost_fn")
    for path in filter(None, [name, cost_fn]):
        if ":" in path and not _is_near(path.partition(":")[0]):
            raise ValueError(
                f"{found.path} names code outside of the working directory, {path}: go to where it lies, or name the "
                f"environment again: --env {name}"
            )
    return name


def _is_near(module: str) -> bool:
    """Does this module's file lie in the working directory?"""
    here = Path.cwd()
    places = [here.joinpath(*module.split(".")), here.joinpath(*module.split(".")).with_suffix(".py")]
    return any(place.exists() for place in places)


# Words ----------------------------------------------------------------------------------------------------------------


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
    ]


def _has_default(kind: type) -> bool:
    missing = dataclasses.MISSING
    return all(f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(kind) if f.init)


def _table(found, policy: Policy, result, sampled: bool, seed: int) -> str:
    """An evaluation for people."""
    spec = policy.spec
    limit = _limit(_recorded_options(found), spec).limit
    notes = ", ".join(f"{name} {text}" for name, text in spec.notes)
    lines = [
        f"run       {found.path}",
        f"env       {spec.name}" + (f", {notes}" if notes else ""),
        f"policy    {found.config['algorithm']} after {policy.step:,} env steps, "
        + ("sampled actions" if sampled else "mean action"),
        f"episodes  {len(result.returns)}, seed {seed}",
        "",
        f"{'':10}{'mean':>10}{'std':>10}{'min':>10}{'max':>10}{'limit':>10}",
    ]

    def line(name, values, limit=""):
        numbers = "".join(f"{x:10.2f}" for x in (values.mean(), values.std(), values.min(), values.max()))
        return f"{name:10}{numbers}{limit:>10}"

    lines.append(line("return", result.returns))
    for i, name in enumerate(spec.constraints):
        lines.append(line(name, result.cost[:, i], f"{limit[i]:g}"))
    lines.append(line("length", result.length))
    lines.append(f"feasible  {'yes' if result.feasible(limit) else 'no'}: mean cost of an episode against the limit")
    return "\n".join(lines)


def _tell_failure(display, error: BaseException) -> None:
    """The traceback into log.txt; what a person sees is told by the caller."""
    display.say("".join(traceback.format_exception(error)).rstrip(), quiet=True)


def _wait_quietly(saver) -> None:
    try:
        saver.wait()
    except Exception:  # noqa: BLE001, S110 (another error is on its way to the caller)
        pass
