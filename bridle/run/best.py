"""The best policy of a run: feasible first, then the higher return."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

from bridle.run.arrays import flatten, plain, read, restore, write
from bridle.run.disk import Damaged, Seal, full_disk_told, read_manifest, sync_folder, write_manifest
from bridle.run.folder import CLOSING, best_home


def is_better(new: dict, old: dict | None) -> bool:
    """Is an evaluation `{"return": float, "cost": [C], "limit": [C]}` better? Feasible first, then the higher return.

    Where none is feasible, the smaller sum of excesses of cost wins, then the return. Both are judged by the new limit.
    """

    def rank(facts):
        excess = sum(max(0.0, c - limit) for c, limit in zip(facts["cost"], new["limit"], strict=True))
        sane = math.isfinite(facts["return"]) and all(map(math.isfinite, facts["cost"]))
        return sane, (-excess if sane else 0.0), (facts["return"] if sane else 0.0)

    return rank(new)[0] if old is None else rank(new) > rank(old)


def save(folder: Path, actor: Any, facts: dict) -> bool:
    """Replace the best actor by this one if `is_better` says so; did it? `facts` are `is_better`'s and whatever else is known.

    An evaluation at the end of a run that is not due then (`closing`) is kept in `best/closing`, until one comes that is:
    had the run gone on, it would never have been made.
    """
    best = Path(folder) / "best"
    best.mkdir(exist_ok=True)
    shutil.rmtree(best / CLOSING, ignore_errors=True)
    try:
        old = read_manifest(best)
    except Damaged:
        old = None
    if not is_better(facts, old and old["facts"]):
        return False
    home = best / CLOSING if facts.get("closing", False) else best
    home.mkdir(exist_ok=True)
    aside = home / "new.safetensors"
    with full_disk_told(home, facts.get("step", "?")):
        try:
            seal = write(aside, flatten(actor))
            name = f"actor-{seal.sha256[:12]}.safetensors"
            os.replace(aside, home / name)
            body = {"facts": plain(facts), "files": {name: seal._asdict()}}
            write_manifest(home / "manifest.new", body)
            os.replace(home / "manifest.new", home / "manifest.json")  # from here on the new one is the best
            sync_folder(home)
        finally:
            aside.unlink(missing_ok=True)
    for path in home.glob("actor-*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)
    return True


def load(folder: Path, like: Any) -> tuple[Any, dict]:
    """The best actor of a run, as a tree like `like`, and what was known of it."""
    best = best_home(folder)
    if not (best / "manifest.json").exists():
        raise FileNotFoundError(f"{best} holds no actor yet: the first evaluation saves one")
    manifest = read_manifest(best)
    ((name, seal),) = manifest["files"].items()
    return restore(like, read(best / name, Seal(**seal))), manifest["facts"]
