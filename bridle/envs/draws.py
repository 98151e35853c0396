"""Random numbers by counter: draw k of episode e of a copy is a hash of (its seed, e, k) and of nothing else."""

from __future__ import annotations

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)


def uniforms(seed: np.ndarray, episode: np.ndarray, count: int) -> np.ndarray:
    """float64 [count, n] in [0, 1) for n copies at once; `seed` and `episode` are integers [n]."""
    return uniform(seed, episode, np.arange(count)[:, None])


def uniform(seed: np.ndarray, episode: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """float64 [n] in [0, 1): draw number `draw` [n] (or [count, 1]) of each copy, as `uniforms` counts them from 0."""
    stream = _mix(_mix(np.asarray(seed).astype(np.uint64)) + np.asarray(episode).astype(np.uint64))
    counter = np.asarray(draw).astype(np.uint64) + np.uint64(1)
    return _to_unit(_mix(stream + counter * _STEP))


def normals(draws: np.ndarray) -> np.ndarray:
    """Standard normal numbers, half as many as `draws` [2 count, n] of `uniforms`: [count, n] (Box and Muller 1958)."""
    u, angle = np.split(draws, 2)
    return np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * angle)  # 1 - u is never 0


def _to_unit(x: np.ndarray) -> np.ndarray:
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, fig. 16); uint64 arithmetic wraps on purpose."""
    x = x + _STEP
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
