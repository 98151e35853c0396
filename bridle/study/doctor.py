"""What works on this machine, and what to install where it does not: each check is guarded and tells its own error."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import bridle

NEEDED = (
    "jax", "jaxlib", "equinox", "optax", "numpy", "safetensors", "gymnasium", "mujoco", "rich", "tensorboardX",
    "matplotlib",
)  # fmt: skip
WELCOME = {
    "imageio-ffmpeg": "videos as MP4 instead of GIF: pip install 'bridle[video]'",
    "plotly": "reports as a page: pip install 'bridle[report]'",
    "tensorboard": "a look at a run's events: pip install tensorboard",
}
WORLDS = (
    "SafetyCarCircle-v0",
    "SafetyBallCircle-v0",
    "SafetyCarRun-v0",
    "SafetyBallRun-v0",
    "SafetyAntCircle-v0",
    "toy/Corridor-v0",
    "toy/Dict-v0",
)
"""One of every kind of world that comes along."""


class Finding(NamedTuple):
    """One line of the report."""

    good: bool | None
    """None: neither, such as something that nobody needs."""
    what: str
    told: str
    needed: bool = True
    """Does training depend on it?"""


def main() -> int:
    """Print the report; 0 if training works here, else 1."""
    findings: list[Finding] = []
    say = _speaker()
    for title, check in CHECKS.items():
        say(title, None)
        for finding in guarded(check, title):
            findings.append(finding)
            say(None, finding)
    broken = [finding for finding in findings if finding.good is False and finding.needed]
    say("Training works here." if not broken else "Training does not work here: see the red lines.", None)
    return 1 if broken else 0


def guarded(check: Callable[[], Iterator[Finding]], title: str) -> Iterator[Finding]:
    """The findings of a check; whatever it raises becomes one too."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 (a doctor must not fall ill)
        yield Finding(False, title.lower(), _short(error), needed=title != "Pictures")


def bridle_and_python() -> Iterator[Finding]:
    """Ours, Python's, the system's."""
    yield Finding(True, "bridle", f"{bridle.__version__}, {Path(bridle.__file__).parent}")
    good = sys.version_info >= (3, 11)
    yield Finding(
        good, "python", f"{platform.python_version()}, {sys.executable}" + ("" if good else "; 3.11 is needed")
    )
    yield Finding(True, "system", f"{platform.platform()}, {os.cpu_count()} cores{_memory()}")


def libraries() -> Iterator[Finding]:
    """Versions; nothing is imported yet."""
    for name in NEEDED:
        version = _version(name)
        yield Finding(version is not None, name, version or f"missing: pip install {name}")
    for name, use in WELCOME.items():
        version = _version(name)
        yield Finding(True if version else None, name, version or f"not installed; {use}", needed=False)


def devices() -> Iterator[Finding]:
    """Where JAX computes; one product is computed."""
    import jax
    import jax.numpy as jnp

    total = float(jax.jit(lambda x: (x @ x).sum())(jnp.ones((64, 64))))
    for device in jax.devices():
        yield Finding(total == 64.0**3, "device", f"{device.platform}: {device.device_kind}")
    if shutil.which("nvidia-smi") and jax.default_backend() == "cpu":
        yield Finding(
            None, "gpu", "there is an NVIDIA driver but JAX has no CUDA: pip install 'bridle[cuda]'", needed=False
        )
    yield _cache_folder()


def worlds() -> Iterator[Finding]:
    """Each is made, reset and stepped once."""
    import numpy as np

    from bridle import envs
    from bridle.core.types import Continuous

    for name in WORLDS:
        try:
            world = envs.make(name, 2)
            world.reset(np.arange(2))
            action = world.spec.action
            still = np.zeros((2, action.size), np.float32) if isinstance(action, Continuous) else np.zeros(2, np.int32)
            outcome = world.step(still)
            finite = bool(np.isfinite(outcome.reward).all() and np.isfinite(outcome.cost).all())
            told = f"horizon {world.spec.horizon}" + "".join(f", {key} {text}" for key, text in world.spec.notes)
            world.close()
            yield Finding(finite, name, told if finite else "its reward or cost is not finite")
        except Exception as error:  # noqa: BLE001 (the other worlds are still to be tried)
            yield Finding(False, name, _short(error), needed=not name.startswith("toy/"))


def pictures() -> Iterator[Finding]:
    """What renders, and what writes videos."""
    from bridle.envs.bullet import render

    name = render.available()
    if name == "drawn":
        yield Finding(
            None, "renderer", f"no OpenGL without a screen: pictures are drawn from above; {_gl_hint()}", needed=False
        )
    else:
        yield Finding(True, "renderer", f"MuJoCo on {name.upper()}", needed=False)
    try:
        import imageio_ffmpeg

        yield Finding(True, "video", f"MP4 by {Path(imageio_ffmpeg.get_ffmpeg_exe()).name}", needed=False)
    except Exception as error:  # noqa: BLE001 (also a binary that does not run here)
        yield Finding(None, "video", f"GIF ({_short(error)}); MP4 needs: pip install 'bridle[video]'", needed=False)
    from matplotlib.figure import Figure

    Figure().subplots().plot([0, 1])
    yield Finding(True, "plots", "matplotlib draws without a screen", needed=False)


def terminal() -> Iterator[Finding]:
    """How a training shows itself here."""
    wide = shutil.get_terminal_size().columns
    live = sys.stdout.isatty()
    yield Finding(
        True,
        "terminal",
        f"{wide} columns, a live table" if live else "none: a line for each row of metrics",
        needed=False,
    )
    folder = Path.cwd()
    good = os.access(folder, os.W_OK)
    free = shutil.disk_usage(folder).free / 2**30
    yield Finding(good, "runs", f"{folder / 'runs'}, {free:.0f} GiB free" if good else f"{folder} cannot be written to")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": bridle_and_python,
    "Libraries": libraries,
    "Devices": devices,
    "Worlds": worlds,
    "Pictures": pictures,
    "Here": terminal,
}


def _cache_folder() -> Finding:
    """Where compiled functions are kept between runs, as `run.device` chooses it."""
    import jax

    from bridle.run import device

    device.remember()
    folder = jax.config.jax_compilation_cache_dir
    if not folder:
        return Finding(None, "compile cache", "none: each run compiles anew", needed=False)
    above = next((x for x in (Path(folder), *Path(folder).parents) if x.exists()), Path("/"))
    good = os.access(above, os.W_OK)
    told = folder if good else f"{folder} cannot be written to: each run compiles anew (set JAX_COMPILATION_CACHE_DIR)"
    return Finding(good or None, "compile cache", told, needed=False)


def _gl_hint() -> str:
    if sys.platform == "darwin":
        return "macOS offers none to programs without a window"
    if sys.platform.startswith("linux"):
        return "for a camera, on Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
    return "EGL or OSMesa would be needed"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (AttributeError, OSError, ValueError):
        return ""


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no more is told'}"


def _speaker() -> Callable[[str | None, Finding | None], None]:
    """Prints titles and findings, in colours by rich if it is there."""
    try:
        console = importlib.import_module("rich.console").Console(highlight=False)
        escape = importlib.import_module("rich.markup").escape
    except ImportError:
        return lambda title, finding: print(title or "  " + "  ".join(map(str, finding[:3])))
    marks = {True: "[green]ok[/]  ", False: "[red]FAIL[/]", None: "[yellow]--[/]  "}

    def say(title: str | None, finding: Finding | None) -> None:
        if finding is None:
            console.print(f"\n[bold]{title}[/]")
            return
        mark = marks[finding.good if finding.good is not False or finding.needed else None]
        console.print(f"  {mark} {finding.what:20} {escape(finding.told)}", soft_wrap=True)

    return say
