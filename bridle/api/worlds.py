"""The worlds of a run: where it trains and where it is evaluated, with their horizon, cost limit and units of actions."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np

from bridle import envs
from bridle.core.types import CostLimit, Spec, World
from bridle.run.options import Options

PROBE_STEPS = 20_000
"""Random env steps in which an environment that tells no horizon is watched for one."""
WAYS_TO_TELL_COST = (
    "it can be told in three ways: info['cost'] at every step; a step that returns six values, the cost after the "
    "reward; or cost_fn(obs, action, next_obs), on the command line --cost-fn module:function"
)


def with_horizon(world: World, trial: World, options: Options) -> tuple[Spec, list[str]]:
    """The world's spec with a horizon, if there is any: what the world says, what the user says, or what is measured."""
    spec = world.spec
    if spec.horizon is not None:
        if options.horizon not in (None, spec.horizon):
            raise ValueError(
                f"horizon = {options.horizon}, but {spec.name} has episodes of {spec.horizon} steps; an environment that "
                f"can have others takes it as an argument: --env-args horizon={options.horizon}"
            )
        return spec, []
    if options.horizon is not None:
        return dataclasses.replace(spec, horizon=options.horizon), []
    found = _measured_horizon(trial)
    if found is None:
        return spec, []
    line = f"horizon   {found} steps, measured: {spec.name} tells none; --horizon says another"
    return dataclasses.replace(spec, horizon=found), [line]


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


def copies_of(env: Any) -> int:
    """How many copies an environment that was passed as an object is."""
    return int(getattr(env, "num_envs", None) or getattr(getattr(env, "spec", None), "num_envs", None) or 1)


def makes(env: Any) -> bool:
    """Is it a callable that makes environments (such as their class), and not one of them?"""
    return callable(env) and (isinstance(env, type) or not hasattr(env, "step"))


def twin_of(env: Any) -> Any:
    """What to evaluate on: the same name or callable, or a copy of an object."""
    if isinstance(env, str) or makes(env):
        return env
    try:
        return copy.deepcopy(env)
    except Exception as error:
        raise ValueError(
            f"this {type(env).__name__} cannot be copied for evaluation ({error}); pass a callable that makes it"
        ) from error


def make(env: Any, options: Options, num_envs: int, cost_fn: Any = None, exact: bool = True) -> World:
    """`cost_fn`: a function, or the name of one, that the options do not know."""
    cost_fn = options.cost_fn if cost_fn is None else cost_fn
    return envs.make(env, num_envs, cost_fn, options.horizon, exact, **envs.parse_args(options.env_args))


def trial_world(env: Any, options: Options, num_envs: int, cost_fn: Any = None) -> World:
    """Where a policy is evaluated, on `num_envs` copies, or on as many as the environment has."""
    whole = isinstance(env, str) or makes(env)
    return make(env, options, num_envs if whole else copies_of(env), cost_fn, exact=False)


def bounds_of(world: World) -> dict | None:
    """How actions in [-1, 1] (or from 0) become the environment's own; None if they are its own."""
    while hasattr(world, "world"):
        world = world.world
    actions = getattr(world, "actions", None)
    if actions is None:
        return None
    if not hasattr(actions, "low"):
        return {"start": actions.start}
    return {"low": actions.low.tolist(), "high": actions.high.tolist(), "dtype": str(actions.dtype)}


def limit_of(options: Options, spec: Spec) -> CostLimit:
    """The cost limit, one number for each constraint of the world; none where it tells no cost."""
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
        return CostLimit(())
    start = options.cost_limit_start
    return CostLimit(
        spread("cost_limit", options.cost_limit),
        None if start is None else spread("cost_limit_start", start),
        options.cost_limit_schedule,
        options.cost_limit_steps,
    )


def check_cost(config: Any, spec: Spec) -> None:
    """A config that keeps a limit (all that do not say `constrained = False`) needs a world that tells a cost."""
    if not spec.constraints and getattr(config, "constrained", True):
        hint = "".join(f" ({text})" for name, text in spec.notes if name == "cost")
        raise ValueError(f"environment {spec.name!r} tells no cost{hint}; {WAYS_TO_TELL_COST}")


def check_same(spec: Spec, recorded: Spec) -> None:
    """Is this environment like the one that the run was trained on?"""
    for field in ("obs", "action", "constraints"):
        now, then = getattr(spec, field), getattr(recorded, field)
        if now != then:
            raise ValueError(f"environment {spec.name!r} has {field} {now}, but the run was trained on {then}")
