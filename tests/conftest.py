"""What every test shares: compiled functions kept between runs, shapes of `maths`, `nets` and `parts` checked."""

import os
from pathlib import Path

import jaxtyping

CACHE = Path(__file__).parents[1] / ".cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Before anything imports them: beartype checks the jaxtyping annotations of these modules, in tests only.
jaxtyping.install_import_hook(["bridle.maths", "bridle.nets", "bridle.parts"], "beartype.beartype")
