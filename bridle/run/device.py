"""Where JAX computes, and where it keeps what it compiled."""

from __future__ import annotations

import os
from pathlib import Path

from bridle.core.machine import cores
from bridle.run import compiled


def choose(device: str) -> str:
    """Make `device` (cpu | gpu | tpu) the one where JAX computes from now on in this process; the device in words."""
    import jax

    remember()
    try:
        found = jax.devices(device)[0]
    except RuntimeError as error:
        here = ", ".join(sorted({x.platform for x in jax.devices()}))
        hint = "; install bridle[cuda] for NVIDIA GPUs" if device == "gpu" else ""
        raise ValueError(f"device = {device!r}, but JAX finds {here} here{hint}") from error
    if found != jax.devices()[0] or jax.config.jax_default_device is not None:
        jax.config.update("jax_default_device", found)
    return in_words(found)


def remember() -> None:
    """Keep compiled functions in the user's cache, unless JAX was told of a place: a run then starts seconds earlier."""
    import jax

    if jax.config.jax_compilation_cache_dir is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        compiled.mend(home / "bridle" / "jax")
        jax.config.update("jax_compilation_cache_dir", str(home / "bridle" / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def in_words(device) -> str:
    """Such as `cpu, 2 cores`."""
    return f"cpu, {cores()} cores" if device.platform == "cpu" else f"{device.platform}: {device.device_kind}"
