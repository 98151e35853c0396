"""Rows of metrics in a CSV file and in TensorBoard, and what a person sees while a run goes on."""

from __future__ import annotations

import csv
import io
import math
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TextIO

import numpy as np

from bridle.run.disk import replace_text

_REFRESH = 0.25
"""Seconds between two pictures of the live display."""
_WINDOW = 40
"""Pictures over which speeds are averaged."""

SOURCES = {"train": "episode", "eval": "eval"}
"""What a person reads, and how the metrics begin that say it: of episodes that training finished, and of evaluations."""
WATCHED = ("multiplier", "limit", "eta", "feasible", "cost")
"""Beginnings of metrics that a live table shows first: whether the limit is being kept, and how."""


class Log:
    """Appends rows `{"step": ..., "group/name": number}` to `metrics.csv` and to TensorBoard's `events/`.

    A new column makes the header grow; `columns` declares those that are known to come, so that the file is seldom rewritten.
    """

    def __init__(self, folder: Path, columns: Iterable[str] = (), events: bool = True):
        self.path = Path(folder) / "metrics.csv"
        self._events_folder = Path(folder) / "events" if events else None
        self._events: Any = None
        self._purge: int | None = None
        self._file: TextIO | None = None
        header, rows = _parse(self.path)
        self._columns = header or ["step"]
        if (new := [x for x in dict.fromkeys(columns) if x not in self._columns]) or not header or _torn(self.path):
            self._columns += new
            self._rewrite(rows)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; it is on its way to the disk when this returns."""
        row = {name: _number(name, value) for name, value in row.items()}
        step = int(row["step"])
        if new := [name for name in row if name not in self._columns]:
            self._columns += new
            self._rewrite(_parse(self.path)[1])
        if self._file is None:
            self._file = open(self.path, "a", newline="", encoding="utf-8")  # noqa: SIM115 (open as long as the run)
        csv.writer(self._file, lineterminator="\n").writerow([_text(row.get(name)) for name in self._columns])
        self._file.flush()
        if self._events_folder is not None:
            self._write_events(step, row)

    def cut(self, step: int) -> None:
        """Forget all rows after `step`, from which the run goes on, so that none stands twice."""
        if self._events is not None:
            self._events.close()
            self._events = None
        self._purge = step + 1
        self._rewrite([row for row in _parse(self.path)[1] if int(row["step"]) <= step])

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._events is not None:
            self._events.close()
        self._file = self._events = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _write_events(self, step: int, row: dict[str, float]) -> None:
        if self._events is None:
            from tensorboardX import SummaryWriter

            self._events = SummaryWriter(
                str(self._events_folder), purge_step=self._purge, filename_suffix=f".{time.time_ns()}", flush_secs=30
            )
        for name, value in row.items():
            if name != "step":
                self._events.add_scalar(name, value, step)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        replace_text(self.path, text.getvalue())


def read(path: Path) -> dict[str, np.ndarray]:
    """The columns of a `metrics.csv` (`step` int64, all else float64) with NaN for blanks; a run may be writing it."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no file {path}: the run has logged nothing yet, or the path names no metrics.csv")
    header, rows = _parse(path)
    try:
        columns = {name: np.array([float(row[name] or "nan") for row in rows], np.float64) for name in header}
        return {**columns, "step": np.array([int(row["step"]) for row in rows], np.int64)}
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is no file of metrics: {error}") from error


class Display:
    """What a person sees: a live table on a terminal, else a line for each row. All texts also go to `log.txt`.

    `limit` is the cost limit of each constraint and `costs` the names of their metrics, as in `eval/NAME`, `episode/NAME`.
    """

    def __init__(
        self,
        folder: Path,
        total: int,
        limit: tuple[float, ...] = (),
        costs: tuple[str, ...] = ("cost",),
        stream: TextIO | None = None,
        live: bool | None = None,
        start: int = 0,
        title: str = "",
    ):
        self.total, self.limit, self.costs, self.title = total, limit, costs[: len(limit)], title
        self._stream = stream or sys.stdout
        self._file = open(Path(folder) / "log.txt", "a", encoding="utf-8")  # noqa: SIM115 (open as long as the run)
        self._seen: dict[str, float] = {}
        self._evaluated = 0
        self._step, self._updates = start, 0
        self._samples: deque[tuple[float, int, int]] = deque([(time.monotonic(), start, 0)], maxlen=_WINDOW)
        self._next = 0.0
        self._live: Any = None
        if live if live is not None else self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, force_terminal=True if live else None)
            self._live = Live(console=console, auto_refresh=False, transient=False)
            self._live.start()

    def tick(self, step: int, updates: int) -> None:
        """Tell how far the run is (env steps, gradient steps since its start); cheap, so call it on every turn of the loop."""
        now = time.monotonic()
        self._step, self._updates = step, updates
        if now < self._next:
            return
        self._next = now + _REFRESH
        self._samples.append((now, step, updates))
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def row(self, row: Mapping[str, Any]) -> None:
        """Show a row of metrics; a metric that a later row leaves out stays as it was."""
        told = {name: float(value) for name, value in row.items() if value is not None}
        self._seen |= told
        self._step = int(row["step"])
        self._evaluated = self._step if "eval/return" in told else self._evaluated
        self._samples.append((time.monotonic(), self._step, self._updates))
        self.say(self._line(told), quiet=self._live is not None)
        self._next = 0.0

    def say(self, text: str, quiet: bool = False) -> None:
        """Print a text (above the live table) unless quiet, and note it in `log.txt`."""
        self._file.write(text + "\n")
        self._file.flush()
        if quiet:
            return
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leave the last picture standing, and close `log.txt`."""
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)
            self._live.stop()
            self._live = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _speeds(self) -> tuple[float, float, float]:
        """Env steps a second, updates a second, seconds left."""
        (begin, step, updates), (end, *_) = self._samples[0], self._samples[-1]
        seconds = max(end - begin, 1e-9)
        if len(self._samples) < 2:
            return 0.0, 0.0, math.inf
        rate = (self._step - step) / seconds
        left = (self.total - self._step) / rate if rate > 0 else math.inf
        return rate, (self._updates - updates) / seconds, left

    def _line(self, row: Mapping[str, float]) -> str:
        """What one row tells of training and of an evaluation, in columns; a dash where it tells nothing."""
        parts = [f"step {self._step:>{len(f'{self.total:,}')},}/{self.total:,}"]
        for name, source in SOURCES.items():
            parts.append(f"{name} return {_cell(row.get(f'{source}/return'), '7.1f')}")
            for cost, limit in zip(self.costs, self.limit, strict=True):
                value = row.get(f"{source}/{cost}")
                parts[-1] += f" {cost} {_cell(value, '6.2f')}" + f" {_verdict(value, limit)}" * (name == "eval")
        rate, updates, left = self._speeds()
        return " | ".join([*parts, f"{rate:5,.0f} steps/s {_rate(updates):>4} updates/s", f"eta {duration(left)}"])

    def _picture(self):
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rate, updates, left = self._speeds()
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(self.total, min(self._step, self.total), width=40), f"{self._step:,}/{self.total:,}")
        speed = Text(f"{rate:,.0f} steps/s  {_rate(updates)} updates/s  eta {duration(left)}")
        results = Table.grid(padding=(0, 2))
        results.add_row("", *(Text(name, justify="right") for name in ("return", *self.costs)))
        for name, source in SOURCES.items():
            cells = [Text(_cell(self._seen.get(f"{source}/return"), ".1f"), justify="right")]
            for cost, limit in zip(self.costs, self.limit, strict=True):
                value = self._seen.get(f"{source}/{cost}")
                style = "" if value is None else "green" if value <= limit else "red"
                text = _cell(value, ".2f") + f" {_verdict(value, limit)}" * (value is not None)
                cells.append(Text(text, style=style, justify="right"))
            when = f"at step {self._evaluated:,}" if name == "eval" and self._evaluated else ""
            results.add_row(name, *cells, when)
        table = Table.grid(padding=(0, 2))
        shown = [x for x in self._seen if "/" in x and x.split("/")[0] not in ("eval", "episode", "time")]
        for name in sorted(shown, key=lambda x: not x.rpartition("/")[2].startswith(WATCHED))[:8]:
            table.add_row(name, f"{self._seen[name]:.4g}")
        return Group(*([Text(self.title, style="bold")] if self.title else []), bar, speed, results, table)


def duration(seconds: float) -> str:
    """`7m12s`, `1h03m`, `2d04h`."""
    if not math.isfinite(seconds):
        return "?"
    seconds = round(max(0.0, seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02d}h"


def _rate(value: float) -> str:
    """Whole numbers, but for rates that are few: on-policy updates take seconds."""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def _cell(value: float | None, form: str) -> str:
    """A number, or a dash that takes as much room."""
    return format(value, form) if value is not None else f"{'-':>{form.partition('.')[0]}}"


def _verdict(value: float | None, limit: float) -> str:
    text = f"{'>' if value is not None and value > limit else '<=':>2} {limit:g}"
    return text if value is not None else " " * len(text)


def _number(name: str, value: Any) -> float | int:
    try:
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, bool | int | float):
            return int(value) if isinstance(value, bool) else value
    except (TypeError, ValueError):
        pass
    raise ValueError(f"metric {name} = {value!r}; allowed: one number")


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def _parse(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Header and rows of a CSV file, without a last line that a kill cut short."""
    if not path.exists():
        return [], []
    text = path.read_text(encoding="utf-8")
    lines = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    header = lines[0] if lines else []
    return header, [dict(zip(header, line, strict=True)) for line in lines[1:] if len(line) == len(header)]


def _torn(path: Path) -> bool:
    return path.exists() and not path.read_bytes().endswith(b"\n")
