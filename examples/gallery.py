"""A still of every task of ours, in one sheet for each suite: `python examples/gallery.py` writes docs/images/SUITE.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bridle import envs
from bridle.envs import bullet, safe_mujoco, safety_gym, velocity

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT, STRIP = 240, 180, 18
"""Of a still, and of the line with its name, pixels."""
WARM = 25
"""Env steps of random actions before a still is taken."""


def main() -> None:
    """One sheet a suite."""
    for name, tasks, columns in (
        ("bullet", list(bullet.TASKS), 4),
        ("safety_gym", by_task(list(safety_gym.TASKS)), len(safety_gym.ROBOTS)),
        ("velocity", list(velocity.TASKS), 3),
        ("safe_mujoco", list(safe_mujoco.TASKS), 2),
    ):
        stills = [labelled(still(task), task.removeprefix("Safety")) for task in tasks]
        path = IMAGES / f"{name}.jpg"
        sheet(stills, columns).save(path, quality=72, optimize=True)
        print(path)


def by_task(ids: list[str]) -> list[str]:
    """One task of all robots in a line."""
    robots = list(safety_gym.ROBOTS)
    tasks = [id.removeprefix(f"Safety{robots[0]}") for id in ids if id.startswith(f"Safety{robots[0]}")]
    return [f"Safety{robot}{task}" for task in tasks for robot in robots]


def still(task: str, seed: int = 3) -> np.ndarray:
    """uint8 [480 640 3] after some steps."""
    world = envs.make(task, 1)
    world.reset(np.array([seed]))
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (1, world.spec.action.size))
    for _ in range(WARM):
        action = 0.9 * action + 0.3 * rng.normal(size=action.shape)
        world.step(action)
    picture = world.render(0)
    world.close()
    return picture


def labelled(picture: np.ndarray, name: str) -> Image.Image:
    """A small still with its name below."""
    small = Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    whole = Image.new("RGB", (WIDTH, HEIGHT + STRIP), "white")
    whole.paste(small)
    ImageDraw.Draw(whole).text((4, HEIGHT + 3), name, fill="black")
    return whole


def sheet(stills: list[Image.Image], columns: int, gap: int = 6) -> Image.Image:
    """All in rows."""
    rows = -(-len(stills) // columns)
    wide, high = WIDTH + gap, HEIGHT + STRIP + gap
    whole = Image.new("RGB", (columns * wide - gap, rows * high - gap), "white")
    for k, one in enumerate(stills):
        whole.paste(one, (k % columns * wide, k // columns * high))
    return whole


if __name__ == "__main__":
    main()
