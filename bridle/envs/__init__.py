"""The only room that imports simulators: every environment comes out of it as a `World`.

This file is the table of our own names and the one door, `make`; it imports nothing heavy.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

from bridle.core.names import nearest

TOYS = {
    "toy/Corridor-v0": "a ring of cells, continuous action, one cost: best return 20.89 at cost limit 3 (linear program)",
    "toy/Discrete-v0": "the same ring with five actions to choose from: best return 20.86 at cost limit 3",
    "toy/Dict-v0": "the same ring seen as a dict of an 8x8 image (uint8) and a vector",
    "toy/TwoCosts-v0": "the same ring with two costs, of speed and of crowding: best return 20.46 at cost limits 3 and 4",
    "toy/Counting-v0": "a gymnasium.Env that counts its steps, to test episode ends with",
}
OLD = "Safexp-"
"""How Safety Gym's names begin: `Safexp-PointGoal1-v0` is our `SafetyPointGoal1-v0` in its dialect."""
ORIGINAL = "safety_gymnasium"
"""`safety_gymnasium:SafetyPointGoal1-v0` is that package's own."""
OURS = ("safety", "bridle/", "toy")
"""Beginnings of names that only we could mean; all others are left to Gymnasium's registry."""


def __getattr__(name: str):
    if name == "TASKS":
        return tasks()
    raise AttributeError(f"module 'bridle.envs' has no attribute {name!r}")


def tasks() -> dict[str, str]:
    """Every environment of ours: name -> one line (also as `TASKS`)."""
    from bridle.envs import bullet, safe_mujoco, safety_gym, velocity

    return {**bullet.TASKS, **safety_gym.TASKS, **velocity.TASKS, **safe_mujoco.TASKS, **TOYS}


def suite_of(task: str) -> str:
    """The suite of `task`, a bare name of ours: the module or folder here that makes it."""
    from bridle.envs import bullet, safe_mujoco, safety_gym

    rooms = {"toy": TOYS, "bullet": bullet.TASKS, "safety_gym": safety_gym.TASKS, "safe_mujoco": safe_mujoco.TASKS}
    return next((room for room, tasks in rooms.items() if task in tasks), "velocity")


def check(name: str) -> None:
    """Raise `ValueError` with the nearest name if `name` looks like ours and is not; loads no simulator.

    Other Gymnasium ids are left to Gymnasium's registry, which `make` asks.
    """
    ours, name = tasks(), name.replace(OLD, "Safety", 1) if name.startswith(OLD) else name
    known = getattr(sys.modules.get("gymnasium"), "registry", {})
    if name.removeprefix("bridle/") in ours or ":" in name or name in known or not name.lower().startswith(OURS):
        return
    raise ValueError(f"no environment {name!r}{nearest(name.removeprefix('bridle/'), ours)}")


def check_elsewhere(name: str) -> None:
    """Is `name` to be found at all: by Gymnasium, or its module from the working directory? Imports Gymnasium if need be."""
    if name.removeprefix("bridle/") in tasks() or name.startswith(OLD):
        return
    if name.startswith(f"{ORIGINAL}:"):
        from bridle.envs import safety_gymnasium

        safety_gymnasium.package(name.partition(":")[2])
        return
    if ":" in name:
        top = name.partition(":")[0].partition(".")[0]
        if os.getcwd() not in sys.path and "" not in sys.path:
            sys.path.insert(0, os.getcwd())
        if top.isidentifier() and importlib.util.find_spec(top) is None:
            raise ValueError(f"environment {name!r}: no module {top!r} in {os.getcwd()} nor among the installed ones")
        return
    import gymnasium

    if name not in gymnasium.registry and "/" not in name:
        unversioned = any(name == one.rpartition("-v")[0] for one in gymnasium.registry)
        if not unversioned:
            raise ValueError(f"no environment {name!r}{nearest(name, [*gymnasium.registry, *tasks()])}")


def make(
    env,
    num_envs: int = 1,
    cost_fn=None,
    time_limit: int | None = None,
    exact: bool = True,
    action_repeat: int = 1,
    rules=None,
    **args,
):
    """`num_envs` copies of `env` as a `World`.

    `env`: a name of ours (`SafetyCarCircle-v0`, `toy/Corridor-v0`), a Gymnasium id (also `module:Id-v0`),
    `module:callable` or a callable that returns a `gymnasium.Env` (or a `VectorEnv`, or a `World`, if it takes
    `num_envs`), or such an object itself. `cost_fn(obs, action, next_obs)` (or `module:function`) gives the cost
    [N] or [N C] of batched arrays, with the action in the environment's own units; it replaces what the environment
    tells. `time_limit` truncates a `gymnasium.Env` that has no limit of its own after so many steps. `args` go to the
    environment, but for `action_repeat`: so many of its steps make one env step, whose rewards and costs add up; and for `rules`, where
    that is a `core.types.Rules`, `module:name` of one, or `cost_fn`, which says that `cost_fn` is a rule as well. `workers="process"` steps Gymnasium environments in processes of their own. Without `exact`, an
    environment that has a number of copies of its own may have another than `num_envs`.
    """
    if not isinstance(num_envs, int) or num_envs < 1:
        raise ValueError(f"num_envs = {num_envs!r}; allowed: an integer > 0")
    if not isinstance(action_repeat, int) or action_repeat < 1:
        raise ValueError(f"action_repeat = {action_repeat!r}; allowed: an integer > 0")
    if isinstance(cost_fn, str):
        cost_fn = find(cost_fn, "cost_fn")
    if rules is not None:
        from bridle.envs import rules as door

        if door.is_given(rules):
            kept = {"num_envs": num_envs, "time_limit": time_limit, "exact": exact, "action_repeat": action_repeat}
            return door.with_rules(make(env, cost_fn=cost_fn, **kept, **args), rules, cost_fn)
        args["rules"] = rules
    if isinstance(env, str):
        if env.startswith(OLD):
            env, args = env.replace(OLD, "Safety", 1), {"dialect": "safety-gym", **args}
        check(env)
        bare = env.removeprefix("bridle/")
        if bare in tasks() and bare != "toy/Counting-v0":
            world = _call(importlib.import_module(f"bridle.envs.{suite_of(bare)}").make, bare, num_envs, args)
            return _with_cost(repeated(world, action_repeat), cost_fn)
        env = bare
        if bare.startswith(f"{ORIGINAL}:"):
            from bridle.envs import safety_gymnasium

            env, args = safety_gymnasium.factory(bare.partition(":")[2], **args), {}
    from bridle.envs import gymnasium

    how = {"told": cost_fn is None, "time_limit": time_limit, "exact": exact, "repeat": action_repeat}
    world = gymnasium.make(env, num_envs, **how, **args)
    return _with_cost(world, cost_fn)


def parse_args(pairs) -> dict:
    """`("dialect=cvpo", "horizon=200")` as a dict; what reads as JSON (also True, False, None) is that, all else text."""
    import json

    words = {"True": True, "False": False, "None": None}
    args = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"environment argument {pair!r}; allowed: name=value, such as horizon=200")
        if name in args:
            raise ValueError(f"environment argument {name!r} is given twice")
        try:
            args[name] = words[text] if text in words else json.loads(text)
        except json.JSONDecodeError:
            args[name] = text
    return args


def find(path: str, what: str = "environment"):
    """The object at `module:name`, imported by path, with the working directory on `sys.path`."""
    module_name, colon, attribute = path.partition(":")
    if not colon or not module_name or not attribute:
        raise ValueError(f"{what} {path!r}; allowed: module:name, such as my_envs:make")
    found = module(module_name, what, path)
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [name for name in vars(found) if not name.startswith("_")]
            raise ValueError(f"{what} {path!r}: {module_name} has no {attribute!r}{nearest(attribute, names)}")
        found = getattr(found, part)
    return found


def module(name: str, what: str, path: str):
    """Module `name`, which `path` asks for, with the working directory on `sys.path`."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            f"{what} {path!r}: no module {error.name!r} in {os.getcwd()} nor among the installed ones"
        ) from error


def _call(function, name: str, num_envs: int, args: dict):
    """`function(name, num_envs, **args)`, with a plain word about arguments it does not know."""
    import inspect

    allowed = list(inspect.signature(function).parameters.values())[2:]
    if not any(one.kind is one.VAR_KEYWORD for one in allowed):
        refuse_unknown(name, args, [one.name for one in allowed])
    try:
        return function(name, num_envs, **args)
    except TypeError as error:
        raise ValueError(f"environment {name!r} with arguments {args}: {error}") from error


def refuse_unknown(env: str, args, allowed) -> None:
    """Raise `ValueError` if `args` has a name that is not among `allowed`."""
    for name in args:
        if name not in allowed:
            several = ", ".join(allowed) or "none"
            raise ValueError(
                f"environment {env!r} takes no argument {name!r}{nearest(name, allowed)}; allowed: {several}"
            )


def repeated(world, times: int):
    """`world`, whose every action lasts for `times` of its steps."""
    if times == 1:
        return world
    if not hasattr(world, "advance"):
        raise ValueError(
            f"environment {world.spec.name!r} takes no action_repeat: only single environments and ours do"
        )
    from bridle.envs.repeat import Repeated

    return Repeated(world, times)


def _with_cost(world, cost_fn):
    if cost_fn is None:
        return world
    from bridle.envs.adapter import WithCost

    return WithCost(world, cost_fn)
