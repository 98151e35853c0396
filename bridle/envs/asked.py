"""Whatever a user may call an environment: what it is called, and what makes one."""

from __future__ import annotations

import functools
import inspect

import gymnasium
from gymnasium.vector import VectorEnv

from bridle import envs as door
from bridle.core.names import called


def factory(env, num_envs: int, args: dict):
    """What `env` is called (nothing, if it has no name), and a callable that makes one (or returns the one that was given)."""
    if isinstance(env, str):
        if env == "toy/Counting-v0":
            from bridle.envs.counting import Counting

            return env, _maker(env, Counting, args)
        if ":" in env and not _registered(env):
            return env, _maker(env, door.find(env), args, num_envs)
        return env, _registry(env, args)
    if callable(env) and not isinstance(env, (gymnasium.Env, VectorEnv)):
        name = called(env)
        return name, _maker(name or getattr(env, "__name__", type(env).__name__), env, args, num_envs)
    door.refuse_unknown(kind_of(env), args, [])
    return kind_of(env), lambda: env


def kind_of(env) -> str:
    """An environment by its id, or by its class."""
    spec = getattr(env, "spec", None)
    return getattr(spec, "id", None) or getattr(spec, "name", None) or called(type(getattr(env, "unwrapped", env)))


def _registered(env: str) -> bool:
    """Is `module:Id-v0` an id that importing `module` registers? Gymnasium imports the module."""
    module, _, name = env.partition(":")
    found = door.module(module, "environment", env)
    return not hasattr(found, name.split(".")[0]) and name in gymnasium.registry


def _registry(name: str, args: dict):
    try:
        spec = gymnasium.spec(name.rpartition(":")[2])
    except gymnasium.error.Error as error:
        near = door.nearest(name, [*gymnasium.registry, *door.tasks()])
        raise ValueError(f"no environment {name!r}{near} ({error})") from error
    creator = spec.entry_point if callable(spec.entry_point) else None
    if creator is None and spec.entry_point is not None:
        try:
            creator = gymnasium.envs.registration.load_env_creator(spec.entry_point)
        except Exception as error:
            raise RuntimeError(f"environment {name!r} could not be loaded: {error}") from error
    modes = (getattr(creator, "metadata", None) or {}).get("render_modes", ())
    if "rgb_array" in modes and "render_mode" not in spec.kwargs:
        args = {"render_mode": "rgb_array", **args}
    own = ("max_episode_steps", "disable_env_checker", "render_mode")
    _known(name, creator, args, own)
    return _maker(name, functools.partial(gymnasium.make, name), {"disable_env_checker": True, **args})


def _maker(name: str, function, args: dict, num_envs: int | None = None):
    parameters = _known(name, function, args)
    if num_envs is not None and "num_envs" in parameters:
        args = {"num_envs": num_envs, **args}
    return functools.partial(_made, name, function, args)


def _known(name: str, function, args: dict, own=()):
    """The named parameters of `function`; raises `ValueError` if it (and `own`) cannot take `args`."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        door.refuse_unknown(name, args, sorted({*parameters, *own} - {"num_envs"}))
    return parameters


def _made(name: str, function, args: dict):
    try:
        return function(**args)
    except Exception as error:
        if isinstance(error, TypeError) and "unexpected keyword" in str(error):
            raise ValueError(f"environment {name!r} with arguments {args}: {error}") from error
        raise RuntimeError(
            f"environment {name!r} with arguments {args} could not be made: {type(error).__name__}: {error}"
        ) from error
