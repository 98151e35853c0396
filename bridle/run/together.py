"""Several runs that other processes train, as a person sees them: what each has written into its log."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TextIO

TOLD = ("step ", "done: ", "stopped at ")
"""Beginnings of the lines that are shown."""


class Together:
    """Shows the newest line of each run on a terminal, else every line as it comes, behind the run's name."""

    def __init__(self, runs: Mapping[str, Path], stream: TextIO | None = None, live: bool | None = None):
        self._stream = stream or sys.stdout
        self._tails = {name: Tail(path / "log.txt") for name, path in runs.items()}
        self._newest = dict.fromkeys(runs, "begins")
        self._width = max(map(len, runs))
        self._live: Any = None
        if self._stream.isatty() if live is None else live:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, force_terminal=True)
            self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self) -> None:
        """Show what is new."""
        for name, tail in self._tails.items():
            for line in tail.new_lines():
                if line.startswith(TOLD):
                    self.say(name, line)
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def say(self, name: str, line: str) -> None:
        """A line about one run."""
        self._newest[name] = line
        if self._live is None:
            print(f"{name:{self._width}}  {line}", file=self._stream, flush=True)

    def _picture(self):
        from rich.text import Text

        lines = [f"{name:{self._width}}  {line}" for name, line in self._newest.items()]
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


class Tail:
    """The end of a text file that somebody else writes."""

    def __init__(self, path: Path):
        self.path, self._read = path, 0

    def new_lines(self) -> list[str]:
        """Lines that are whole by now and have not been told."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._read)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode(errors="replace").splitlines()
