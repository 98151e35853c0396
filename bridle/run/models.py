"""A learned model saved by itself: its arrays, the settings that made it, and the world that it was learned in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bridle.core.names import nearest
from bridle.core.types import Continuous, Spec
from bridle.run.arrays import flatten, plain, read, restore, write
from bridle.run.disk import Seal, full_disk_told, read_manifest, sync_folder, write_manifest
from bridle.run.records import to_json


def save_model(folder: Path, state: Any, config: Any, spec: Spec, **facts) -> Path:
    """Write a model into a folder, and return that; an older one there is replaced, and is whole until the new one is.

    `config` is the dataclass that the model was made by; `facts` are whatever else is to be known of it, as JSON.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "new.safetensors"
    about = {"config": to_json(config), "world": world_of(spec), **facts}
    with full_disk_told(folder, facts.get("step", "?")):
        try:
            seal = write(aside, flatten(state))
            name = f"model-{seal.sha256[:12]}.safetensors"
            os.replace(aside, folder / name)
            write_manifest(folder / "manifest.new", {"facts": plain(about), "files": {name: seal._asdict()}})
            os.replace(folder / "manifest.new", folder / "manifest.json")  # from here on the new one is the model
            sync_folder(folder)
        finally:
            aside.unlink(missing_ok=True)
    for path in folder.glob("model-*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)
    return folder


def load_model(folder: Path, like: Any, config: Any, spec: Spec) -> tuple[Any, dict]:
    """The model of a folder as a tree like `like` (arrays or `jax.ShapeDtypeStruct`), and what is known of it.

    `ValueError` where it was learned in a world of other shapes, or by settings of other networks than `config`.
    """
    folder = Path(folder)
    if not (folder / "manifest.json").exists():
        there = [path.parent.name for path in folder.parent.glob("*/manifest.json")]
        raise FileNotFoundError(f"{folder} holds no model{nearest(folder.name, there)}")
    manifest = read_manifest(folder)
    facts = manifest["facts"]
    for what, asked in world_of(spec).items():
        if what != "name" and facts["world"][what] != asked:
            saved = facts["world"]
            raise ValueError(
                f"the model in {folder} was learned in {saved['name']}, whose {what} is {saved[what]}; "
                f"that of {spec.name} is {asked}: use it in a world of the same shapes, or learn one there"
            )
    ((name, seal),) = manifest["files"].items()
    try:
        return restore(like, read(folder / name, Seal(**seal))), facts
    except ValueError as error:
        told = {name: value for name, value in to_json(config).items() if facts["config"].get(name) != value}
        other = ", ".join(f"{name} {facts['config'].get(name)!r} instead of {value!r}" for name, value in told.items())
        raise ValueError(
            f"the model in {folder} does not fit: {error}; it was made with {other or 'the same'}"
        ) from error


def world_of(spec: Spec) -> dict:
    """What of a world a model depends on."""
    import jax

    shapes = [[list(leaf.shape), leaf.dtype] for leaf in jax.tree.leaves(spec.obs)]
    action = spec.action.size if isinstance(spec.action, Continuous) else f"{spec.action.choices} choices"
    return {"name": spec.name, "obs": shapes, "action": action, "constraints": list(spec.constraints)}
