"""The run folder: what lies where, how it is made and opened."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bridle
from bridle.run.disk import FORMAT, replace_text

if TYPE_CHECKING:
    from bridle.core.types import Spec

PARTS = ("format", "algorithm", "class", "config", "options", "spec")
"""What every `config.json` tells."""
CLOSING = "closing"
"""Folder inside `best/`: the best actor, if that is of an evaluation at the end of the run that was not due."""
SET_ASIDE = ".set-aside-"
"""In the name of a folder that lay where a run should go, and could not be resumed: no run any more."""
LIBRARIES = ("jax", "jaxlib", "equinox", "optax", "numpy", "mujoco", "gymnasium", "safetensors")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A run that lies on the disk."""

    path: Path
    config: dict
    """`config.json`: everything that the run was asked to do."""

    @property
    def metrics(self) -> Path:
        """The CSV file with a row of metrics at each logged step."""
        return self.path / "metrics.csv"

    @property
    def videos(self) -> Path:
        """Where videos of this run go."""
        return self.path / "videos"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for writing, so that it is not resumed twice at once; a process that dies lets it go."""
        with open(self.path / ".lock", "a") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"{self.path} is being trained by another process; wait for it or stop it"
                ) from None
            except (ImportError, OSError):
                pass  # a system or a network disk without locks
            yield


def create(path: Path | str, config: dict) -> Path:
    """Make a new run folder with `config.json` and `versions.json`; `FileExistsError` if anything lies there."""
    path = Path(path)
    check_free(path)
    path.mkdir(parents=True, exist_ok=True)
    for name in ("checkpoints", "best", "videos"):
        (path / name).mkdir(exist_ok=True)
    replace_text(path / "versions.json", json.dumps(versions(), indent=1) + "\n")
    body = {"format": FORMAT, "bridle": bridle.__version__, **config}
    replace_text(path / "config.json", json.dumps(body, indent=1) + "\n")  # last: from here on it is a run folder
    return path


def check_free(path: Path) -> None:
    """`FileExistsError` if anything lies there."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"{path} exists and is not empty; nothing saved is ever overwritten: resume that run, or name another folder"
        )


def open_run(path: Path | str) -> RunFolder:
    """The run folder at `path`; errors say what is missing there and which runs lie near."""
    path = Path(path)
    file = path / "config.json"
    if not file.is_file():
        why = (
            f"it has no {file.name}"
            if path.is_dir()
            else "a file lies there"
            if path.exists()
            else "nothing lies there"
        )
        raise FileNotFoundError(f"{path} is no run folder: {why}{_near(path)}")
    try:
        config = json.loads(file.read_text())
        if not isinstance(config, dict):
            raise ValueError("it holds no table")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read ({error}): restore it from a copy, or start the run anew") from error
    if config.get("format", 0) > FORMAT:
        raise ValueError(
            f"{path} was made by a newer bridle, {config.get('bridle')} (format {config['format']}; "
            f"this one, {bridle.__version__}, reads up to {FORMAT}): upgrade bridle"
        )
    if missing := [part for part in PARTS if part not in config]:
        raise ValueError(f"{path} is no run folder of ours: its {file.name} has no {', '.join(missing)}")
    return RunFolder(path, config)


def best_home(path: Path) -> Path:
    """Where the best actor of the run at `path` lies."""
    best = Path(path) / "best"
    return best / CLOSING if (best / CLOSING / "manifest.json").exists() else best


def default_path(root: Path | str, env: str, algo: str, seed: int) -> Path:
    """`ROOT/ENV/ALGO/seed-S-YYYYmmdd-HHMMSS`, with a number behind it if that is taken; made here, so that it is ours."""
    safe = [re.sub(r"[^\w.+-]+", "-", x).strip("-.") or "unnamed" for x in (env, algo)]
    path = Path(root, *safe, f"seed-{seed}-{time.strftime('%Y%m%d-%H%M%S')}")
    for copy in itertools.count(1):
        free = path if copy == 1 else path.with_name(f"{path.name}-{copy}")
        with suppress(FileExistsError):
            free.mkdir(parents=True)
            return free
    raise AssertionError("there is always another number")


def versions() -> dict[str, str | None]:
    """What this process runs, and on what; imports nothing."""
    out: dict[str, str | None] = {"bridle": bridle.__version__, "commit": commit(), "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = None
    out["platform"] = platform.platform()
    out["processors"] = str(os.cpu_count())
    if "jax" in sys.modules:
        device = sys.modules["jax"].devices()[0]
        out["device"] = f"{device.platform}: {device.device_kind}"
    return out


def commit() -> str | None:
    """The commit of bridle's own checkout, with `-dirty` where files differ from it; None for an installed package."""
    root = Path(bridle.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    ask = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git here, or none that reads this checkout
        return None


def spec_to_json(spec: Spec) -> dict:
    """What a policy must know of its world to be used without it: all but the rules, which only learning asks for."""
    kind = "size" if hasattr(spec.action, "size") else "choices"
    told = dataclasses.asdict(dataclasses.replace(spec, rules=None))
    del told["rules"]
    return {**told, "obs": _obs_to_json(spec.obs), "action": {kind: getattr(spec.action, kind)}}


def spec_from_json(data: dict) -> Spec:
    """The spec that `spec_to_json` told."""
    from bridle.core.types import Continuous, Discrete, Spec  # NumPy comes with it, and names are looked up without

    action = Continuous(**data["action"]) if "size" in data["action"] else Discrete(**data["action"])
    notes = tuple((name, text) for name, text in data["notes"])
    names = {key: tuple(data.get(key, ())) for key in ("constraints", "kinds")}
    return Spec(**{**data, "obs": _obs_from_json(data["obs"]), "action": action, "notes": notes, **names})


def _obs_to_json(obs: Any) -> dict:
    if isinstance(obs, dict):
        return {"dict": {name: _obs_to_json(part) for name, part in obs.items()}}
    if isinstance(obs, tuple):
        return {"tuple": [_obs_to_json(part) for part in obs]}
    return {"shape": list(obs.shape), "dtype": obs.dtype}


def _obs_from_json(data: dict) -> Any:
    if "dict" in data:
        return {name: _obs_from_json(part) for name, part in data["dict"].items()}
    if "tuple" in data:
        return tuple(map(_obs_from_json, data["tuple"]))
    from bridle.core.types import Leaf

    return Leaf(tuple(data["shape"]), data["dtype"])


def _near(path: Path) -> str:
    """Runs below `path`, or beside it, for an error."""
    if path.is_dir() and (below := [x.parent for x in sorted(path.glob("**/config.json"))][:5]):
        return f"; run folders below it: {', '.join(map(str, below))}"
    beside = [x.parent.name for x in path.parent.glob("*/config.json")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, 3, 0.3)
    return f"; run folders beside it: {', '.join(near)}" if near else ""
