"""A stretch of time in which something is counted; what each side of a comparison prints in the end."""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version


def arguments() -> argparse.Namespace:
    """What the driver tells every side: how long to count, on how many threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--python", default="", help="of another environment, where a world lives that is stepped there"
    )
    return parser.parse_args()


class Window:
    """Begins at the first `note` and is over `seconds` later."""

    elsewhere = 0.0
    """Seconds of processor time of other processes that are to be counted too."""

    def __init__(self, seconds: float):
        self.wanted, self.count, self.seconds, self.cpu = seconds, 0, 0.0, 0.0
        self._begin: tuple[int, float, float] | None = None

    def note(self, count: int) -> bool:
        """`count` so far; is it over?"""
        now = count, time.perf_counter(), time.process_time() + self.elsewhere
        self._begin = self._begin or now
        self.count, self.seconds, self.cpu = (a - b for a, b in zip(now, self._begin, strict=True))
        return self.seconds >= self.wanted

    def tell(self, *packages: str) -> None:
        """The last line of a side's output: counts, seconds, seconds of processor time, versions."""
        versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
        print(json.dumps({"count": self.count, "seconds": self.seconds, "cpu": self.cpu, "versions": versions}))
