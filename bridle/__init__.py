"""bridle: constrained reinforcement learning on JAX."""

import importlib

__version__ = "0.1.0"
_PUBLIC = {"train": "bridle.api", "resume": "bridle.api", "evaluate": "bridle.api", "load": "bridle.api"}

importlib.import_module("bridle.envs.register").register_with_gymnasium()  # by name: rooms below envs import this one


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'bridle' has no attribute {name!r}; it offers {sorted(_PUBLIC)}")


def __dir__():
    return sorted([*_PUBLIC, "__version__"])
