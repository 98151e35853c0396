"""Where a config meets a world: train, resume, evaluate, load. The command line says the same in flags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import jax
import numpy as np

from bridle.api import asked, several, worlds
from bridle.api.session import Result, prepare, prepare_resume
from bridle.core.types import Spec
from bridle.run import arrays, checkpoint
from bridle.run import best as best_policy
from bridle.run import device as devices
from bridle.run import folder as folders
from bridle.run.evaluate import Evaluation, Evaluator
from bridle.run.policy import Policy
from bridle.run.video import Video

EVALUATION_SEED = 1_000_003
"""Added to a run's seed, so that `evaluate` meets other episodes than the evaluations during training."""


@overload
def train(config: Any = ..., env: Any = ..., *, preset: str | None = ..., seeds: None = ..., **settings) -> Result: ...
@overload
def train(
    config: Any = ..., env: Any = ..., *, preset: str | None = ..., seeds: Iterable[int], **settings
) -> tuple[Result, ...]: ...
def train(
    config: Any = "cvpo", env: Any = None, *, preset: str | None = None, seeds: Iterable[int] | None = None, **settings
) -> Result | tuple[Result, ...]:
    """Train, and leave a run folder; with `seeds=(0, 1, 2)` one for each of them, and a `Result` for each is returned.

    `config`: an algorithm's name, or a config value (ours or your own: a dataclass with `build(spec, limit)`). `env`: a
    task of ours, a Gymnasium id, `module:callable`, a callable that makes an environment, or a `gymnasium.Env`. `settings`
    are fields of `run.options.Options` (`cost_limit=10, steps=300_000, seed=1, run="folder"`) and, beside an algorithm's
    name, of its config (`discount=0.99`); `cost_fn` may be the function itself. `preset` sets what none of these says. With
    `seeds`, `run` is the folder that the run folders `seed-S` lie in, and a seed that fails stops only itself
    (`Result.error`).
    """
    what = asked.resolve(config, env, preset, settings if seeds is None else {**settings, "seeds": seeds})
    return several.train(what) if what.seeds else prepare(what).go()


def resume(
    run: Path | str, steps: int | None = None, env: Any = None, config: Any = None, cost_fn: Any = None
) -> Result:
    """Go on with a run from its newest whole checkpoint, up to `steps` env steps in total.

    `env`, `config` and `cost_fn` are asked for where the run was started with an object, a class or a function of yours.
    """
    return prepare_resume(run, steps, env, config, cost_fn).go()


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
    cost_fn: Any = None,
    env_args: Sequence[str] = (),
) -> Evaluation:
    """Play whole episodes with a run's last (or best) policy on worlds and seeds of their own, and print a table.

    `env_args`, such as `("layout=held-out",)`, win over those of the training. Returns an `Evaluation` of `returns [F]`, `cost [F C]`, `length [F]`. `video` also leaves one of the first episode
    in the run's `videos/`.
    """
    if episodes < 1:
        raise ValueError(f"episodes = {episodes!r}; allowed: an integer > 0")
    found = folders.open_run(run)
    options = asked.with_env_args(asked.recorded_options(found), env_args)
    source, cost_fn = asked.recorded_env(found, env), asked.recorded_cost(found, cost_fn)
    policy = load(run, best, config)
    world = worlds.trial_world(source, options, min(episodes, 10), cost_fn)
    worlds.check_same(world.spec, policy.spec)
    seed = options.seed + EVALUATION_SEED if seed is None else seed
    rate = 1.0 / float(dict(world.spec.notes).get("dt", "0.0333 s").split()[0])
    film = Video(lambda: world.render(0), rate) if video else None
    if film is not None:
        world.reset(np.arange(world.spec.num_envs))
        if not film.works():  # said before anything is played, which may take long
            say(f"no video: {film.error}")
            film = None
            if isinstance(source, str) or worlds.makes(source):
                world.close()  # a worker process that could not draw has ended
                world = worlds.trial_world(source, options, min(episodes, 10), cost_fn)
    evaluator = Evaluator(world, policy.algorithm, seed, sample)
    result = evaluator.play(policy.actor, episodes, watch=film)
    say(_table(found, policy, world.spec, result, evaluator.sampled, seed))
    if film is not None:
        try:
            path = found.videos / f"{'best' if best else 'last'}-{policy.step:09d}-seed-{seed}"
            say(f"video     {film.save(path)}")
        except (RuntimeError, OSError, ValueError) as error:
            say(f"no video: {error}")
    world.close()
    return result


def load(run: Path | str, best: bool = False, config: Any = None) -> Policy:
    """The last (or best) policy of a run. A run of a config class of your own needs an instance as `config`."""
    found = folders.open_run(run)
    options = asked.recorded_options(found)
    devices.remember()
    config = asked.recorded_config(found, config)
    spec = folders.spec_from_json(found.config["spec"])
    algorithm = config.build(spec, worlds.limit_of(options, spec))
    like = jax.eval_shape(lambda key: algorithm.actor(algorithm.init(key)), jax.random.key(0))
    if best:
        actor, facts = best_policy.load(found.path, like)
    else:
        named, facts = checkpoint.load_arrays(found.path)
        # Only what acts: what else has been learned may hang on rules of the world, which are not at hand here.
        wanted = algorithm.actor(arrays.names(jax.eval_shape(algorithm.init, jax.random.key(0))))
        actor = arrays.restore(like, arrays.picked(wanted, arrays.below(named, "state")))
    return Policy(algorithm, config, spec, found.config.get("bounds"), actor, facts)


def _table(found: folders.RunFolder, policy: Policy, spec: Spec, result: Evaluation, sampled: bool, seed: int) -> str:
    """An evaluation for people; `spec` is that of the world that it was played on."""
    limit = worlds.limit_of(asked.recorded_options(found), spec).limit
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
