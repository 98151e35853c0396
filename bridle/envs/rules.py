"""Rules at the door: those that a user gives beside an environment, and what can be wrong with any."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridle.core.types import Continuous, Leaf, Rules, Spec

COST_FN = "cost_fn"
"""`rules="cost_fn"`: the cost function that was given is a rule as well."""
MEND = {
    "shape": "work on the last axis alone, as in next_obs[..., 0], and leave the others as they are",
    "pure": "it must depend on nothing but its arguments, and change none of them",
    "trace": "write it with operators and methods (abs(x) < 2, x.all(-1)), or with x.__array_namespace__(), not with numpy's "
    "functions, `if`, `float(...)` or assignment to elements",
    "type": "compare for `terminated`, and multiply a comparison by 1.0 for `cost`",
}


def is_given(rules: Any) -> bool:
    """Is it meant for the door, and no argument of an environment?"""
    return isinstance(rules, Rules) or (isinstance(rules, str) and (rules == COST_FN or ":" in rules))


def with_rules(world, rules, cost_fn):
    """`world`, which now tells `rules`: a `Rules`, `module:name` of one, or `cost_fn`; checked here."""
    if rules == COST_FN:
        if cost_fn is None:
            raise ValueError("rules = 'cost_fn', but no cost_fn is given; pass --cost-fn module:function")
        rules = replace(world.spec.rules or Rules(), cost=rule_of(cost_fn, world))
    elif isinstance(rules, str):
        from bridle.envs import find

        rules = find(rules, "rules")
    check_rules(rules, world.spec)
    world.spec = replace(world.spec, rules=rules)
    return world


def rule_of(cost_fn, world):
    """`cost_fn(obs, action, next_obs)`, of batches `[N ...]` with actions in the environment's own units, as a rule."""
    inner = world
    while not hasattr(inner, "actions") and hasattr(inner, "world"):
        inner = inner.world
    actions = getattr(inner, "actions", None)
    if not hasattr(actions, "low"):
        actions = None

    def cost(obs, action, next_obs):
        if actions is not None:
            share = 0.5 * (action + 1.0).reshape(*action.shape[:-1], *actions.shape)
            action = actions.low + share * (actions.high - actions.low)
        found = cost_fn(obs, action, next_obs)
        return found if getattr(found, "ndim", 0) == next_obs.ndim else found[..., None]

    return cost


def check_rules(rules: Any, spec: Spec) -> None:
    """Is each rule pure, batched, of the right shape, and to be traced by JAX? A `ValueError` says which is not, and why."""
    if not isinstance(rules, Rules):
        raise ValueError(f"rules = {rules!r}; allowed: a bridle.core.types.Rules")
    if not (isinstance(spec.obs, Leaf) and len(spec.obs.shape) == 1 and isinstance(spec.action, Continuous)):
        raise ValueError(
            f"environment {spec.name!r} has obs {spec.obs} and action {spec.action}; rules are allowed where obs are one array "
            "[O] and actions are continuous"
        )
    for name in ("reward", "cost", "terminated"):
        rule = getattr(rules, name)
        if rule is not None:
            _check(name, rule, spec)


def _check(name: str, rule, spec: Spec) -> None:
    rng = np.random.default_rng(0)
    widths = spec.obs.shape[0], spec.action.size, spec.obs.shape[0]
    six = [rng.uniform(-1.0, 1.0, (6, width)).astype(np.float32) for width in widths]
    tail = (len(spec.constraints),) if name == "cost" else ()
    two = _called(name, rule, [x.reshape(2, 3, -1) for x in six], spec, tail)
    flat = _called(name, rule, six, spec, tail)
    _called(name, rule, [x[:3] for x in six], spec, tail)
    if not np.array_equal(flat, two.reshape(flat.shape), equal_nan=flat.dtype.kind == "f"):
        raise _refusal(name, spec, "tells other things of the same six rows as [6] and as [2 3]", "shape")
    _check_traced(name, rule, widths, spec, tail)


def _called(name: str, rule, inputs, spec: Spec, tail) -> np.ndarray:
    """What `rule` tells of `inputs`, the same twice."""
    kept = [x.copy() for x in inputs]
    try:
        first, second = np.asarray(rule(*inputs)), np.asarray(rule(*inputs))
    except Exception as error:
        where = " ".join(map(str, inputs[0].shape))
        raise _refusal(name, spec, f"raises {type(error).__name__} on obs [{where}]: {error}", "shape") from error
    batch = inputs[0].shape[:-1]
    _check_form(name, first.shape, first.dtype, batch, spec, tail)
    same = np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if not same or any(not np.array_equal(x, y) for x, y in zip(inputs, kept, strict=True)):
        raise _refusal(
            name, spec, "changes its arguments" if same else "tells two things of the same arguments", "pure"
        )
    return first


def _check_traced(name: str, rule, widths, spec: Spec, tail) -> None:
    import jax
    import jax.numpy as jnp

    like = [jax.ShapeDtypeStruct((2, 3, width), jnp.float32) for width in widths]
    try:
        found = jax.eval_shape(lambda *x: jnp.asarray(rule(*x)), *like)
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise _refusal(name, spec, f"cannot be traced by JAX: {type(error).__name__}: {line}", "trace") from error
    _check_form(name, found.shape, found.dtype, (2, 3), spec, tail)


def _check_form(name: str, shape, dtype, batch, spec: Spec, tail) -> None:
    if tuple(shape) != (*batch, *tail):
        last = (
            f" and one number for each of {', '.join(spec.constraints) or 'no constraints'}" if name == "cost" else ""
        )
        raise _refusal(
            name,
            spec,
            f"gives {tuple(shape)} for obs {(*batch, *spec.obs.shape)}; allowed: {(*batch, *tail)}{last}",
            "shape",
        )
    if (np.dtype(dtype).kind == "b") != (name == "terminated") or np.dtype(dtype).kind not in "bfiu":
        raise _refusal(name, spec, f"gives {dtype}; allowed: {'bool' if name == 'terminated' else 'numbers'}", "type")


def _refusal(name: str, spec: Spec, what: str, mend: str) -> ValueError:
    return ValueError(f"the rule `{name}` of environment {spec.name!r} {what}; to mend it: {MEND[mend]}")
