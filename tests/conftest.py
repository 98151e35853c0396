"""What every test shares: what was compiled is kept between runs, shapes of `maths`, `nets` and `parts` are checked."""

import os
from pathlib import Path

import jaxtyping

CACHE = Path(__file__).parents[1] / ".cache"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Tests compile much and compute little: code that is compiled in two thirds of the time and runs a little slower suits them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    # Or each process that a test starts compiles the sources of JAX anew, which is half of all that a short run takes.
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(CACHE / "bytecode"))

# Before anything imports them: beartype checks the jaxtyping annotations of these modules, in tests only.
jaxtyping.install_import_hook(["bridle.maths", "bridle.nets", "bridle.parts"], "beartype.beartype")
