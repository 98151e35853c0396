"""The pictures of the README from finished runs: `python examples/pictures.py RUN ...` writes docs/images/.

The curves are of all runs (seeds), the film is of the last policy of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import bridle
from bridle import envs
from bridle.run.folder import open_run
from bridle.study.plot import plot

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main(runs: list[str]) -> None:
    """Curves and film."""
    print(*plot(runs, IMAGES / "curves.png"), sep="\n")
    options = open_run(runs[0]).config["options"]
    world = envs.make(options["env"], 1, **envs.parse_args(options["env_args"]))
    print(film(world, bridle.load(runs[0], best=False).predict, IMAGES / "car.gif"))


def film(world, predict: Callable, path: Path, seed: int = 0, every: int = 3, width: int = 400) -> Path:
    """One episode as a small GIF: each `every`-th step."""
    obs, frames = world.reset(np.array([seed])), []
    for step in range(world.spec.horizon - 1):
        obs = world.step(np.asarray(predict(obs))).obs
        if step % every == 0:
            frame = Image.fromarray(world.render())
            frames.append(frame.resize((width, width * frame.height // frame.width), Image.Resampling.LANCZOS))
    palette = frames[len(frames) // 2].quantize(64)
    first, *rest = (frame.quantize(64, palette=palette, dither=Image.Dither.NONE) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=100, loop=0, optimize=True)
    world.close()
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
