"""A video of one episode: MP4 where imageio with ffmpeg is installed, else a GIF by pillow."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Video:
    """Frames of `render`, gathered one a call. A picture that cannot be drawn ends it; `error` says why."""

    def __init__(self, render: Callable[[], np.ndarray], fps: float = 30.0):
        self.render, self.fps = render, fps
        self.frames: list[np.ndarray] = []
        self.error: str | None = None

    def __call__(self) -> None:
        """Take a picture."""
        if self.error is not None:
            return
        try:
            self.frames.append(np.asarray(self.render(), np.uint8))
        except ValueError as error:  # our own word about an environment
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 (whatever a simulator's renderer raises, the evaluation goes on)
            self.error = f"{type(error).__name__}: {error}; `bridle doctor` says which renderers work here"

    def works(self) -> bool:
        """Can a picture be taken? One is, and thrown away."""
        self()
        self.frames.clear()
        return self.error is None

    def save(self, path: Path) -> Path:
        """Write the frames to `path` with the suffix of the format that can be written here; that path."""
        if not self.frames:
            raise RuntimeError(f"no picture could be drawn: {self.error}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            import imageio.v2 as imageio
            import imageio_ffmpeg  # noqa: F401 (imageio finds it by itself)
        except ImportError:
            return self._save_gif(path.with_suffix(".gif"))
        with warnings.catch_warnings():
            # JAX warns of every fork; this one is ffmpeg, which is replaced at once and shares no lock with us.
            warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
            with imageio.get_writer(path.with_suffix(".mp4"), fps=self.fps, macro_block_size=2, quality=8) as writer:
                for frame in self.frames:
                    writer.append_data(frame)
        return path.with_suffix(".mp4")

    def _save_gif(self, path: Path) -> Path:
        from PIL import Image

        first, *rest = (Image.fromarray(frame).quantize(128) for frame in self.frames)
        first.save(path, save_all=True, append_images=rest, duration=round(1000 / self.fps), loop=0)
        return path
