"""`safety_gymnasium:ID`: the original, where that package is installed and can be imported; its step gives six values."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

from bridle.core.names import nearest

MODULE = "safety_gymnasium"


def factory(id: str, **args) -> Callable:
    """What makes one environment of that package; a `ValueError` says what to install, or what of ours to choose instead."""
    found = package(id)
    known = getattr(getattr(found, "registry", None), "keys", lambda: ())()
    if known and id not in known:
        raise ValueError(f"{MODULE} has no environment {id!r}{nearest(id, known)}")
    return functools.partial(found.make, id, **args)


def package(id: str):
    """The package, imported."""
    from bridle import envs

    ours = f", or take ours: --env {id}" if id in envs.tasks() else ""
    try:
        return importlib.import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise ValueError(
                f"{MODULE} is installed, but {error.name}, which it needs, is not: install that{ours}"
            ) from error
        raise ValueError(
            f"{MODULE} is not installed (its releases are for Python 3.8 to 3.10): install it{ours}"
        ) from error
    except Exception as error:  # on newer Pythons its dataclasses are refused, with newer Gymnasiums its imports fail
        raise ValueError(
            f"{MODULE} is installed and cannot be imported here ({type(error).__name__}: {error}){ours}"
        ) from error
