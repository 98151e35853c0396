"""The one shape: spaces as `Leaf`s, actions in [-1, 1], arrays that are checked where they come in, state as arrays."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from bridle.core.types import Continuous, Discrete, Leaf, Outcome

ALLOWED = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict or Tuple of these"


def map_tree(function, tree, *rest):
    """`function` of the leaves of trees of dicts and tuples that look alike."""
    if isinstance(tree, dict):
        return {key: map_tree(function, tree[key], *(other[key] for other in rest)) for key in tree}
    if isinstance(tree, tuple):
        return tuple(map_tree(function, *parts) for parts in zip(tree, *rest, strict=True))
    return function(tree, *rest)


def stack(trees: list):
    """Trees of N copies as one tree with a first axis N."""
    return map_tree(lambda *leaves: np.stack(leaves), *trees)


def pick(which, first, second):
    """Rows of `first` where `which` [N] holds, else of `second`; both are trees of arrays [N ...]."""
    return map_tree(lambda a, b: np.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b), first, second)


def leaves_of(space, name: str, path: str = "obs"):
    """The tree of `Leaf`s of a Gymnasium space: reals as float32, uint8 as it is, other integers as int32.

    A Discrete observation is one int32 (start included), not a one-hot vector.
    """
    kind = type(space).__name__
    if hasattr(space, "spaces"):
        parts = space.spaces
        if isinstance(parts, dict):
            return {key: leaves_of(part, name, f"{path}[{key!r}]") for key, part in parts.items()}
        return tuple(leaves_of(part, name, f"{path}[{i}]") for i, part in enumerate(parts))
    if kind not in ("Box", "Discrete", "MultiDiscrete", "MultiBinary"):
        raise ValueError(
            f"environment {name!r}: {path} is a {kind} space; allowed: {ALLOWED} (gymnasium.wrappers can flatten it)"
        )
    dtype = np.dtype(space.dtype)
    names = {"f": "float32", "b": "bool", "i": "int32", "u": "uint8" if dtype == np.uint8 else "int32"}
    return Leaf(tuple(space.shape or ()), names[dtype.kind])


class Actions:
    """From actions in [-1, 1] (or choices from 0) to those of a Gymnasium space."""

    def __init__(self, space, name: str):
        self.name, self.shape, self.dtype = name, tuple(space.shape or ()), space.dtype
        kind = type(space).__name__
        self.start = int(space.start) if kind == "Discrete" else 0
        if kind == "Discrete":
            self.kind = Discrete(int(space.n))
        elif kind == "Box" and np.issubdtype(space.dtype, np.floating):
            self.low, self.high = space.low.astype(np.float64), space.high.astype(np.float64)
            if not (np.isfinite(self.low).all() and np.isfinite(self.high).all()):
                raise ValueError(
                    f"environment {name!r}: its actions {space} have no bounds to rescale [-1, 1] to; give it some with "
                    f"gymnasium.wrappers.TransformAction(env, lambda a: scale * a, "
                    f"gymnasium.spaces.Box(-1.0, 1.0, {self.shape}))"
                )
            self.kind = Continuous(int(np.prod(self.shape)))
        else:
            raise ValueError(f"environment {name!r}: its actions are {space}; allowed: Discrete, or Box of reals")

    def native(self, action, num_envs: int):
        """Actions [N A] or [N] as the environment wants them, clipped to its bounds: [N ...]."""
        action = np.asarray(action)
        if isinstance(self.kind, Discrete):
            fits = action.shape == (num_envs,) and action.dtype.kind in "iu"
            if not fits or np.any((action < 0) | (action >= self.kind.choices)):
                raise ValueError(
                    f"environment {self.name!r}: action {action!r}; allowed: int [{num_envs}] in [0, {self.kind.choices})"
                )
            return action.astype(np.int64) + self.start
        if action.shape != (num_envs, self.kind.size) or not np.isfinite(action).all():
            raise ValueError(
                f"environment {self.name!r}: action {action!r}; allowed: finite floats [{num_envs} {self.kind.size}]"
            )
        share = 0.5 * (np.clip(action.astype(np.float64), -1.0, 1.0) + 1.0).reshape(num_envs, *self.shape)
        return np.clip(self.low + share * (self.high - self.low), self.low, self.high).astype(self.dtype)


def read(leaves, obs, where, copies: int | None = None, path: str = "obs"):
    """`obs` copied into the shapes and dtypes of `leaves` (with a first axis `copies` if given), or a `ValueError`.

    `where(copy)` says where it came from, in words; it is only called for the error.
    """
    if isinstance(leaves, dict):
        if not isinstance(obs, dict) or set(leaves) - set(obs):
            got = f"keys {sorted(obs)}" if isinstance(obs, dict) else type(obs).__name__
            raise ValueError(f"{where(None)}: {path} has {got}; its space says a dict of {sorted(leaves)}")
        return {key: read(leaf, obs[key], where, copies, f"{path}[{key!r}]") for key, leaf in leaves.items()}
    if isinstance(leaves, tuple):
        if not isinstance(obs, (tuple, list)) or len(obs) != len(leaves):
            raise ValueError(f"{where(None)}: {path} is not a tuple of {len(leaves)}, as its space says")
        return tuple(read(leaf, part, where, copies, f"{path}[{i}]") for i, (leaf, part) in enumerate(zip(leaves, obs)))
    return _read_leaf(leaves, obs, where, copies, path)


def _read_leaf(leaf: Leaf, value, where, copies, path):
    shape = leaf.shape if copies is None else (copies, *leaf.shape)
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty((), object)
    dtype = np.dtype(leaf.dtype)
    fits = np.can_cast(array.dtype, dtype, "same_kind") or (dtype.kind == "f" and array.dtype.kind in "iub")
    if array.shape != shape or not fits:
        raise ValueError(f"{where(None)}: {path} is {array.dtype} {array.shape}; its space says {leaf.dtype} {shape}")
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    if dtype.kind == "f":
        finite(array, where, copies, path)
    return array


def finite(array, where, copies, path):
    """Raise `ValueError` if `array` (with a first axis `copies`, if given) holds NaN or infinity."""
    good = np.isfinite(array)
    if good.all():
        return
    bad = np.argwhere(~good)[0]
    at = bad if copies is None else bad[1:]
    element = f"{path}[{', '.join(map(str, at))}]" if len(at) else path
    raise ValueError(
        f"{where(None if copies is None else int(bad[0]))}: {element} is {array[tuple(bad)]}; allowed: finite numbers"
    )


def picture(name: str, draw):
    """What `draw()` gives, uint8 [height width 3]; says how to mend an environment that gives nothing."""
    try:
        frame = draw()
    except NotImplementedError:
        frame = None
    if frame is None:
        raise ValueError(
            f"environment {name!r} draws no picture: it needs a render() that returns one, uint8 [height width 3], and most "
            "draw only where made with render_mode='rgb_array' (--env-args render_mode=rgb_array, if its callable takes that)"
        )
    return np.asarray(frame, np.uint8)


def episode_seed(seed: int, episode: int) -> int:
    """The seed of episode `episode` of a copy: its own for the first, a hash of both afterwards."""
    return int(seed) if episode == 0 else int(np.random.SeedSequence((int(seed), int(episode))).generate_state(1)[0])


def check_seeds(seeds, num_envs: int):
    """`seeds` as int64 [N]."""
    seeds = np.asarray(seeds)
    if seeds.shape != (num_envs,) or seeds.dtype.kind not in "iu" or np.any(seeds < 0):
        raise ValueError(f"seeds {seeds!r}; allowed: {num_envs} integers >= 0, one a copy")
    return seeds.astype(np.int64)


def names_of(constraints: int) -> tuple[str, ...]:
    """What constraints are called whose environment gives them no name."""
    return ("cost",) if constraints == 1 else tuple(f"cost_{i}" for i in range(constraints))


def hint(info) -> str:
    """What in `info` is perhaps the cost under another name; '' if nothing is."""
    keys = [f"{key!r}" for key in info if "cost" in str(key).lower() or str(key).lower().startswith("constraint")]
    return f"info has {', '.join(keys)}: tell the cost of the step as info['cost'], or give cost_fn" if keys else ""


class WithCost:
    """A world whose cost is `cost_fn(obs, action, next_obs)`: batched arrays [N ...] to [N] or [N C]."""

    def __init__(self, world, cost_fn):
        self.world, self.cost_fn = world, cost_fn
        self.native = getattr(world, "native", lambda action: action)
        num_envs = world.spec.num_envs
        self.obs = world.reset(np.arange(num_envs))
        kind = world.spec.action
        still = np.zeros((num_envs, kind.size)) if isinstance(kind, Continuous) else np.zeros(num_envs, np.int64)
        rules = world.spec.rules and replace(world.spec.rules, cost=None)
        self.spec = replace(world.spec, constraints=(), rules=rules)
        found = self._cost(self.obs, self.native(still), self.obs)
        self.spec = replace(self.spec, constraints=names_of(found.shape[1]))

    def reset(self, seeds):
        self.obs = self.world.reset(seeds)
        return self.obs

    def step(self, action) -> Outcome:
        out = self.world.step(action)
        cost = self._cost(self.obs, self.native(action), out.next_obs)
        self.obs = out.obs
        return out._replace(cost=np.where(out.valid[:, None], cost, np.float32(0.0)))

    def get_state(self):
        return self.world.get_state()

    def set_state(self, state):
        self.obs = self.world.set_state(state)
        return self.obs

    def render(self, index: int = 0):
        return self.world.render(index)

    def close(self):
        self.world.close()

    def _cost(self, obs, action, next_obs):
        num_envs, name = self.spec.num_envs, f"cost_fn of environment {self.spec.name!r}"
        cost = np.asarray(self.cost_fn(obs, action, next_obs))
        cost = cost[:, None] if cost.ndim == 1 else cost
        wanted = len(self.spec.constraints) or (cost.shape[-1] if cost.ndim else 1)
        if cost.shape != (num_envs, wanted) or cost.dtype.kind not in "fiub":
            raise ValueError(
                f"{name} gave {cost.dtype} {cost.shape}; allowed: numbers [N] or [N C], here N = {num_envs}"
            )
        cost = cost.astype(np.float32)
        finite(cost, lambda copy: f"{name}, copy {copy}", num_envs, "cost")
        return cost


def pack(tree) -> dict[str, np.ndarray]:
    """Dicts, lists, tuples, arrays and JSON values as named arrays: `skeleton` (JSON as uint8) and `array_K`."""
    arrays = {}

    def place(part):
        if isinstance(part, (np.ndarray, np.generic)):
            name = f"array_{len(arrays)}"
            arrays[name] = np.array(part)
            return {"__array__": name}
        if isinstance(part, dict):
            if not all(isinstance(key, str) for key in part):
                raise ValueError(f"state with keys {list(part)}; allowed: text")
            return {key: place(value) for key, value in part.items()}
        if isinstance(part, (tuple, list)):
            items = [place(value) for value in part]
            return {"__tuple__": items} if isinstance(part, tuple) else items
        if part is None or isinstance(part, (bool, int, float, str)):
            return part
        raise ValueError(f"state holds a {type(part).__name__}; allowed: dict, list, tuple, array, number, text, None")

    skeleton = json.dumps(place(tree)).encode()
    return {"skeleton": np.frombuffer(skeleton, np.uint8).copy(), **arrays}


def unpack(arrays: dict[str, np.ndarray]):
    """What was packed."""

    def back(part):
        if isinstance(part, list):
            return [back(value) for value in part]
        if not isinstance(part, dict):
            return part
        if set(part) == {"__array__"}:
            return np.array(arrays[part["__array__"]])
        if set(part) == {"__tuple__"}:
            return tuple(back(value) for value in part["__tuple__"])
        return {key: back(value) for key, value in part.items()}

    return back(json.loads(np.asarray(arrays["skeleton"], np.uint8).tobytes()))
