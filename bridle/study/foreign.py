"""Tables that other tools leave behind, read as evaluations: cvpo-safe-rl's progress.txt, OmniSafe's progress.csv."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bridle.study.series import finite

FILES = ("progress.txt", "progress.csv")


class Tool(NamedTuple):
    """The columns of one tool's table; the first of several names that is there counts."""

    name: str
    step: tuple[str, ...]
    tests: tuple[str, str, str]
    """Return, cost and length of an episode in evaluations."""
    training: tuple[str, str, str]
    """The same while training, where evaluations are not logged."""
    seconds: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()


TOOLS = (
    Tool(
        "OmniSafe",
        ("TotalEnvSteps",),
        ("Metrics/TestEpRet", "Metrics/TestEpCost", "Metrics/TestEpLen"),
        ("Metrics/EpRet", "Metrics/EpCost", "Metrics/EpLen"),
        ("Time/Total",),
    ),
    Tool(
        "cvpo-safe-rl",
        ("TotalEnvInteracts",),
        ("TestEpRet", "TestEpCost", "TestEpLen"),
        ("EpRet", "EpCost", "EpLen"),
        ("Time",),
        ("CostLimit",),
    ),
    Tool(
        "safety-starter-agents",
        ("TotalEnvInteracts",),
        ("AverageTestEpRet", "AverageTestEpCost", "TestEpLen"),
        ("AverageEpRet", "AverageEpCost", "EpLen"),
        ("Time",),
    ),
    Tool(
        "FSRL",
        ("update/env_step", "Steps"),
        ("test/reward", "test/cost", "test/length"),
        ("train/reward", "train/cost", "train/length"),
    ),
)
"""How they name what they log. cvpo-safe-rl puts the tab of its display before a name (`eval/TestEpRet`)."""
NO_LIMIT = 1e3
"""What cvpo-safe-rl writes as its limit where the policy has none."""


class Table(NamedTuple):
    """One run of another tool."""

    path: Path
    tool: str
    label: str
    env: str
    """"" if neither its config nor its folder tells."""
    seed: int | None
    limit: float | None
    acting: str
    step: np.ndarray
    """[L], and so are the others; NaN where a thing is not told."""
    seconds: np.ndarray
    length: np.ndarray
    returns: np.ndarray
    cost: np.ndarray
    unread: int
    """Rows that are cut short or hold words for numbers, but for a last one that is cut short."""


def table_of(path: Path) -> Path | None:
    """The table of another tool at `path` (the file, or a folder with it); None if there is none."""
    if path.name in FILES and path.is_file():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), None)


def read(path: Path) -> Table:
    """The table in the file `path`, with what its config and folder tell of the run."""
    texts, cut = _columns(path)
    for tool in TOOLS:
        found = dict(_named(texts, tool))
        for names, acting in (
            (tool.tests, f"{tool.name}'s evaluations"),
            (tool.training, f"{tool.name}'s training episodes"),
        ):
            step = next((name for name in tool.step if name in found), None)
            if step is not None and names[0] in found and names[1] in found:
                return _table(path, tool, found, (step, *names), acting, cut)
    known = "; ".join(f"{tool.name}: {tool.step[0]}, {tool.training[0]}, {tool.training[1]}" for tool in TOOLS)
    raise ValueError(
        f"{path} has the columns {', '.join(list(texts)[:8])}, which are no tool's that is known here ({known})"
    )


def _table(
    path: Path, tool: Tool, texts: dict[str, list[str]], names: tuple[str, str, str, str], acting: str, cut: int
) -> Table:
    """The table out of the columns of that tool; `names` are those of the step, the return, the cost and the length."""
    told = [
        any(cells) for cells in zip(*(texts[name] for name in names[1:3]), strict=True)
    ]  # blank: it was not evaluated
    words = [any(map(_is_word, cells)) for cells in zip(*(texts[name] for name in names[:3]), strict=True)]
    step = _numbers(texts[names[0]])
    rows = np.isfinite(step) & np.array(told, bool)
    if not rows.any():
        raise ValueError(f"{path} has no rows with numbers yet")

    def column(*wanted: str) -> np.ndarray:
        name = next((name for name in wanted if name in texts), None)
        return finite(_numbers(texts[name])[rows]) if name else np.full(rows.sum(), np.nan)

    config = _config(path)
    limits = [x for x in column(*tool.limit)[-1:].tolist() if np.isfinite(x)]
    limit = limits[0] if limits and limits[0] != NO_LIMIT else _limit(config)
    method, env = _identity(path, config)
    return Table(
        path=path,
        tool=tool.name,
        label=f"{method} of {tool.name}" if method else tool.name,
        env=env,
        seed=_seed(path, config),
        limit=limit,
        acting=acting,
        step=step[rows],
        seconds=column(*tool.seconds),
        length=column(names[3]),
        returns=column(names[1]),
        cost=column(names[2]),
        unread=cut + sum(words),
    )


def _columns(path: Path) -> tuple[dict[str, list[str]], int]:
    """Cells by the name of their column, and how many rows are left out as cut short; a last one may be being written."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = [row for row in csv.reader(file, delimiter="\t" if path.suffix == ".txt" else ",") if row]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is no table: {error}") from error
    if not lines:
        raise ValueError(f"{path} is no table: it is empty")
    header, *rows = lines
    whole = [row for row in rows if len(row) == len(header)]
    cut = sum(len(row) != len(header) for row in rows[:-1])
    return {name: [row[i].strip() for row in whole] for i, name in enumerate(header)}, cut


def _numbers(texts: list[str]) -> np.ndarray:
    return np.array([float("nan") if _is_word(text) else float(text or "nan") for text in texts], float)


def _is_word(text: str) -> bool:
    """Neither a number nor blank?"""
    try:
        float(text or "nan")
    except ValueError:
        return True
    return False


def _named(columns: dict[str, list[str]], tool: Tool) -> Iterator[tuple[str, list[str]]]:
    for name, values in columns.items():
        yield name, values
        if tool.name == "cvpo-safe-rl":
            yield name.rpartition("/")[2], values


def _config(path: Path) -> dict[str, Any]:
    """What the tool was asked to do, as far as it can be read."""
    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _identity(path: Path, config: dict[str, Any]) -> tuple[str, str]:
    """(method, environment), from the config or, for OmniSafe, from the folder `ALGO-{ENV}/seed-...`."""
    method = config.get("algo") or config.get("policy") or ""
    env = config.get("env_id") or config.get("env") or config.get("env_name") or ""
    if (named := re.search(r"([\w-]+?)-\{([\w-]+)\}", str(path.resolve().parent))) is not None:
        method, env = method or named[1], env or named[2]
    return (method if isinstance(method, str) else ""), (env if isinstance(env, str) else "")


def _seed(path: Path, config: dict[str, Any]) -> int | None:
    if isinstance(seed := config.get("seed"), int):
        return seed
    named = re.search(r"(?:seed-|_s)(\d+)", path.resolve().parent.name)
    return int(named[1]) if named else None


def _limit(config: dict[str, Any]) -> float | None:
    """The one cost limit that stands anywhere in a config: tools keep it in several places."""
    found: set[float] = set()
    left: list[Any] = [config]
    while left:
        part = left.pop()
        for name, value in part.items():
            if isinstance(value, dict):
                left.append(value)
            elif name in ("cost_limit", "cost_lim") and isinstance(value, int | float):
                found.add(float(value))
    return found.pop() if len(found) == 1 else None
