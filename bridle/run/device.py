"""Where JAX computes, and where it keeps what it compiled."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use(device: str) -> str:
    """Let JAX compute on `device` (cpu | gpu | tpu) and keep compiled functions between runs; the device in words.

    Before JAX is first used it is told to look for no other device than the CPU, which saves a second; afterwards
    the default device is set.
    """
    if device == "cpu" and "jax" not in sys.modules:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    try:
        found = jax.devices(device)[0]
    except RuntimeError as error:
        here = ", ".join(sorted({x.platform for x in jax.devices()}))
        hint = "; install bridle[cuda] for NVIDIA GPUs" if device == "gpu" else ""
        raise ValueError(f"device = {device!r}, but JAX finds {here} here{hint}") from error
    if found != jax.devices()[0] or jax.config.jax_default_device is not None:
        jax.config.update("jax_default_device", found)
    if jax.config.jax_compilation_cache_dir is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "bridle" / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return f"{found.platform}: {found.device_kind}" if found.platform != "cpu" else f"cpu, {os.cpu_count()} cores"
