"""Curves of evaluation return and cost of run folders: mean and band over seeds, the cost limit as a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridle.core.names import one_each
from bridle.run import folder as folders
from bridle.run import log
from bridle.run.disk import Damaged, read_manifest

X_AXES = {"step": ("step", "env steps"), "seconds": ("time/seconds", "seconds of training")}
"""What may be the x-axis: word -> (column of metrics.csv, label)."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B4B8A")
"""After Okabe and Ito (2008): told apart by colour-blind readers too."""
INK, SOFT, FAINT, FEASIBLE = "#20262E", "#5B6570", "#8A929C", "#2E9E6B"
STYLE = {
    "font.size": 11,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E9ED",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "bridle",
}


@dataclass(frozen=True)
class Curve:
    """The evaluations of one run."""

    env: str
    """The world with what must stand beside it, such as its dialect."""
    label: str
    """The algorithm and what tells it from others."""
    limit: tuple[float, ...]
    constraints: tuple[str, ...]
    acting: str
    """How evaluations act; "" if the run does not tell."""
    episodes: int
    x: np.ndarray
    """[L], increasing."""
    returns: np.ndarray
    """[L]"""
    cost: np.ndarray
    """[L C]"""


def plot(runs: Sequence[Path | str], out: Path | str | None = None, x: str = "step") -> list[Path]:
    """Draw a PNG and an SVG for each environment among `runs` (run folders, or folders that hold some); their paths.

    Runs of one algorithm, preset and cost limit are its seeds. `out`: a folder, or a file whose name is taken; by default
    the run's folder, or the one that holds all of them. `x`: step | seconds.
    """
    if x not in X_AXES:
        raise ValueError(f"x = {x!r}; allowed: {', '.join(X_AXES)}")
    paths = find(runs)
    figures: dict[str, dict[str, list[Curve]]] = {}
    for curve in read(paths, x):
        figures.setdefault(curve.env, {}).setdefault(curve.label, []).append(curve)
    written = []
    for env, methods in figures.items():
        stem = _stem(paths, out, env if len(figures) > 1 else None)
        stem.parent.mkdir(parents=True, exist_ok=True)
        written += draw(env, methods, stem, X_AXES[x][1])
    return written


def find(runs: Sequence[Path | str]) -> list[Path]:
    """The run folders among `runs`; a folder that is none but holds some stands for those."""
    found: list[Path] = []
    for path in map(Path, runs):
        below = [] if (path / "config.json").exists() else [x.parent for x in sorted(path.glob("**/config.json"))]
        found += below or [path]
    if not found:
        raise ValueError("runs = []; allowed: one or more run folders, such as runs/SafetyCarCircle-v0/cvpo/*")
    return list({path.resolve(): path for path in found}.values())


def read(paths: Sequence[Path], x: str = "step") -> list[Curve]:
    """The curve of each run folder, labelled so that different things are told apart."""
    found = [folders.open_run(path) for path in paths]
    labels = _labels([run.config for run in found])
    return [_read(run, label, X_AXES[x][0]) for run, label in zip(found, labels, strict=True)]


def _read(run: folders.RunFolder, label: str, column: str) -> Curve:
    options, spec = run.config["options"], run.config["spec"]
    constraints = tuple(spec["constraints"])
    names = one_each("eval/cost", len(constraints))
    metrics = log.read(run.metrics) if run.metrics.exists() else {}
    returns = metrics.get("eval/return", np.array([]))
    rows = np.isfinite(returns)
    if not rows.any():
        raise ValueError(
            f"{run.path} has no evaluations yet; the first one is due at step {options['eval_every']:,} "
            f"(or at the end of the run)"
        )
    if column not in metrics or any(name not in metrics for name in names):
        raise ValueError(f"{run.metrics} lacks one of the columns {', '.join([column, *names])}")
    notes = [text for name, text in run.config.get("notes", {}).items() if name == "dialect"]
    limit = tuple(options["cost_limit"])
    return Curve(
        env=", ".join([spec["name"].removeprefix("bridle/"), *(f"dialect {text}" for text in notes)]),
        label=label,
        limit=limit * len(constraints) if len(limit) == 1 else limit,
        constraints=constraints,
        acting=_acting(run),
        episodes=int(options["eval_episodes"]),
        x=metrics[column][rows].astype(float),
        returns=returns[rows],
        cost=np.stack([metrics[name][rows] for name in names], 1) if names else np.zeros((rows.sum(), 0)),
    )


def _acting(run: folders.RunFolder) -> str:
    try:
        sampled = read_manifest(run.path / "best")["facts"]["sampled"]
    except (Damaged, KeyError):
        return ""
    return "sampled actions" if sampled else "the policy's mean"


NO_METHOD = ("env", "cost_limit", "steps", "seed", "run", "eval_every", "eval_episodes", "log_every", "checkpoint_every",
             "keep", "device")  # fmt: skip
"""Options that make no other method of a run."""


def _labels(configs: list[dict]) -> list[str]:
    """The algorithm's name, and what differs among the runs: preset, cost limit, and settings within one of these."""
    presets = {config.get("preset") for config in configs}
    limits = {tuple(config["options"]["cost_limit"]) for config in configs}
    labels = []
    for config in configs:
        parts = [config["algorithm"].rpartition(":")[2]]
        if len(presets) > 1:
            parts.append(config.get("preset") or "own settings")
        if len(limits) > 1:
            parts.append("limit " + ", ".join(f"{x:g}" for x in config["options"]["cost_limit"]))
        labels.append(", ".join(parts))
    settings = [
        {**config["config"], **{k: v for k, v in config["options"].items() if k not in NO_METHOD}} for config in configs
    ]
    told = []
    for label, mine in zip(labels, settings, strict=True):
        others = [x for other, x in zip(labels, settings, strict=True) if other == label]
        differing = [name for name in mine if any(x.get(name) != mine[name] for x in others)]
        told.append(", ".join([label, *(f"{name} {_said(mine[name])}" for name in differing)]))
    return told


def _said(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _stem(paths: list[Path], out: Path | str | None, env: str | None) -> Path:
    """Where a figure goes, without suffix; `env` where there are several figures."""
    tail = "" if env is None else "-" + re.sub(r"[^\w.-]+", "-", env)
    if out is not None and Path(out).suffix in (".png", ".svg"):
        return Path(out).with_name(Path(out).stem + tail)
    if out is not None:
        return Path(out, "curves" + tail)
    folder = paths[0]
    while not all(path.resolve().is_relative_to(folder.resolve()) for path in paths):
        folder = folder.resolve().parent
    return folder / ("curves" + tail)


@dataclass(frozen=True)
class Summary:
    """The curves of several seeds on one grid."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def summarise(xs: list[np.ndarray], ys: list[np.ndarray]) -> Summary:
    """Mean over seeds where all of them have come, on the union of their grids.

    The band is the 95 % interval of the mean (Student's t) from three seeds on, and the range of two.
    """
    first, last = max(x[0] for x in xs), min(x[-1] for x in xs)
    grid = np.unique(np.concatenate(xs))
    grid = grid[(grid >= first) & (grid <= last)] if first <= last else xs[0][-1:]
    table = np.stack([np.interp(grid, x, y) for x, y in zip(xs, ys, strict=True)])
    mean, seeds = table.mean(0), len(table)
    if seeds < 3:
        return Summary(grid, mean, table.min(0), table.max(0))
    from scipy.special import stdtrit  # jax brings scipy

    half = stdtrit(seeds - 1, 0.975) * table.std(0, ddof=1) / seeds**0.5
    return Summary(grid, mean, mean - half, mean + half)


def counted(curve: Curve) -> int:
    """How many of the last evaluations a result is the mean of."""
    return max(1, round(len(curve.x) / 10))


def final(curve: Curve) -> tuple[float, np.ndarray]:
    """Return and cost [C] as results are reported: the mean of the last tenth of the evaluations."""
    last = counted(curve)
    return float(curve.returns[-last:].mean()), curve.cost[-last:].mean(0)


def draw(env: str, methods: dict[str, list[Curve]], stem: Path, x_label: str) -> list[Path]:
    """One figure: return above, a panel for each cost below it; `STEM.png` and `STEM.svg`."""
    import matplotlib
    from matplotlib.figure import Figure  # no pyplot: it needs no screen and leaves no state

    example = next(iter(methods.values()))[0]
    panels = 1 + len(example.constraints)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.1 + 2.1 * (panels - 1)), layout="constrained")
        grid = figure.subplots(panels, 1, sharex=True, squeeze=False, height_ratios=[3] + [2] * (panels - 1))
        top, *bottoms = grid[:, 0]
        ends: list[list[Any]] = [[] for _ in range(panels)]
        for colour, curves in zip(_colours(len(methods)), methods.values(), strict=True):
            xs = [curve.x for curve in curves]
            returns = summarise(xs, [curve.returns for curve in curves])
            costs = [summarise(xs, [curve.cost[:, i] for curve in curves]) for i in range(panels - 1)]
            met = np.ones(len(returns.x), bool)
            for cost, limit in zip(costs, curves[0].limit, strict=False):
                met &= cost.mean <= limit
            results = [final(curve) for curve in curves]
            many = len(methods) > 1
            name = f"{curves[0].label}  " if many else ""
            for curve in curves if len(curves) > 1 else []:
                top.plot(curve.x, curve.returns, color=colour, alpha=0.22, lw=0.8)
                for i, axes in enumerate(bottoms):
                    axes.plot(curve.x, curve.cost[:, i], color=colour, alpha=0.22, lw=0.8)
            _line(top, returns, colour, met)
            ends[0].append((returns, f"{name}{np.mean([r for r, _ in results]):.0f}", colour))
            for i, (axes, cost) in enumerate(zip(bottoms, costs, strict=True)):
                _line(axes, cost, colour, met)
                ends[1 + i].append((cost, f"{name}{np.mean([c[i] for _, c in results]):.1f}", colour))
        _dress(figure, top, bottoms, env, methods, x_label)
        figure.draw_without_rendering()  # so that places on the paper are known
        for axes, labels in zip([top, *bottoms], ends, strict=True):
            _label_ends(axes, labels)
        paths = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg")]
        figure.savefig(paths[0], dpi=160)
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def _colours(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _line(axes, summary: Summary, colour: str, met: np.ndarray) -> None:
    """Solid where the mean cost meets every limit, thin and dotted where it does not."""
    axes.fill_between(summary.x, summary.low, summary.high, color=colour, alpha=0.15, lw=0)
    axes.plot(summary.x, summary.mean, color=colour, lw=1.4, ls=(0, (1, 1.6)))
    solid = np.where(met, summary.mean, np.nan)  # a stretch between two points is feasible if both are
    axes.plot(summary.x, solid, color=colour, lw=2.4, marker="o", ms=3.2 if len(summary.x) < 60 else 0, clip_on=False)


def _dress(figure, top, bottoms, env: str, methods: dict[str, list[Curve]], x_label: str) -> None:
    """Titles, limits, axes."""
    from matplotlib.ticker import FuncFormatter

    curves = [curve for group in methods.values() for curve in group]
    seeds = sorted({len(group) for group in methods.values()})
    name, *rest = env.split(", ")
    title = name if len(methods) > 1 else f"{curves[0].label} on {name}"
    band = "mean and 95 % interval" if seeds[0] >= 3 else "mean and range" if seeds[0] == 2 else ""
    of_seeds = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    facts = [*rest, f"{of_seeds} seed{'s' if seeds[-1] > 1 else ''}" + (f", {band}" if band else "")]
    episodes = sorted({curve.episodes for curve in curves})
    acting = sorted({curve.acting for curve in curves if curve.acting})
    facts.append("-".join(map(str, episodes)) + " episodes an evaluation" + "".join(f", {x}" for x in acting))
    top.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=24)
    top.annotate(
        " · ".join(facts), (0, 1), (0, 8), "axes fraction", textcoords="offset points", color=SOFT, fontsize=10
    )
    top.set_ylabel("return")
    for i, axes in enumerate(bottoms):
        word = curves[0].constraints[i]
        axes.set_ylabel("cost of an episode" if word == "cost" else f"cost: {word}")
        _limits(axes, {curve.limit[i] for curve in curves}, [curve.cost[:, i] for curve in curves])
    last = bottoms[-1] if bottoms else top
    last.set_xlabel(x_label, loc="left")
    last.set_xlim(0, max(curve.x[-1] for curve in curves))
    last.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    if bottoms:
        last.annotate(
            "solid: mean cost within the limit · dotted: above it", (1, 0), (0, -30), "axes fraction",
            textcoords="offset points", ha="right", va="center", color=SOFT, fontsize=9,
        )  # fmt: skip


def _limits(axes, limits: set[float], costs: list[np.ndarray]) -> None:
    """The dashed line of each limit, and green ground below it where there is one limit."""
    highest = max(float(cost.max()) for cost in costs)
    axes.set_ylim(0, 1.06 * max(highest, 1.8 * max(limits), 1e-9))
    if len(limits) == 1:
        axes.axhspan(0, next(iter(limits)), color=FEASIBLE, alpha=0.09, lw=0)
    for limit in sorted(limits):
        axes.axhline(limit, color=INK, lw=1.2, ls=(0, (5, 3)))
        axes.annotate(
            f"limit {limit:g}", (0, limit), (6, 4), ("axes fraction", "data"), textcoords="offset points", fontsize=9.5,
        )  # fmt: skip


def _label_ends(axes, labels: list[tuple[Summary, str, str]], apart: float = 14.0) -> None:
    """A word at the right end of each line, pushed apart where they would overlap."""
    scale = 72.0 / axes.figure.dpi
    places = [axes.transData.transform((0.0, summary.mean[-1]))[1] * scale for summary, _, _ in labels]
    order = np.argsort(places)
    shifted = np.array(places)[order]
    for i in range(1, len(shifted)):
        shifted[i] = max(shifted[i], shifted[i - 1] + apart)
    shifted -= max(0.0, (shifted - np.array(places)[order]).mean())
    for where, k in zip(shifted, order, strict=True):
        summary, text, colour = labels[k]
        axes.annotate(
            text, (1.0, summary.mean[-1]), (7, where - places[k]), ("axes fraction", "data"), textcoords="offset points",
            color=colour, fontweight="bold", va="center", annotation_clip=False,
        )  # fmt: skip


def _short(value: float) -> str:
    """`1.5M`, `300k`, `40`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
