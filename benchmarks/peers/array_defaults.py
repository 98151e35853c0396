"""Lets Safety-Gymnasium 1.0 be imported on Python 3.11: its dataclasses have arrays as defaults, which Python refuses since then.

Import this before it; every such default becomes a factory of copies.
"""

import dataclasses

import numpy as np

_real = dataclasses.dataclass


def _dataclass(cls=None, /, **options):
    def wrap(cls):
        for name, value in list(vars(cls).items()):
            if isinstance(value, np.ndarray):
                setattr(cls, name, dataclasses.field(default_factory=value.copy))
        return _real(cls, **options)

    return wrap if cls is None else wrap(cls)


dataclasses.dataclass = _dataclass
