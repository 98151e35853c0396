"""The commands that lay runs beside each other: their flags, and what they call."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from bridle.core.config import integer


def count(text: str) -> int:
    """A number above 0; `1_000` and `1e3` too."""
    try:
        number = integer(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}; allowed: an integer > 0")
    return number


def _runs_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="RUN",
        type=Path,
        nargs="+",
        help="folders of runs, or folders that hold some; also progress.txt and progress.csv of other tools",
    )
    parser.add_argument(
        "--select", metavar="TEXT", nargs="+", default=[], help="only runs with one of the texts in their path or label"
    )
    parser.add_argument(
        "--exclude", metavar="TEXT", nargs="+", default=[], help="no runs with one of the texts in their path or label"
    )
    parser.add_argument(
        "--cost-limit",
        metavar="X",
        type=float,
        nargs="+",
        default=[],
        help="the limit of tables of other tools that tell none; by default that of the runs beside them",
    )


def plot_flags(parser: argparse.ArgumentParser) -> None:
    """Of `bridle plot`."""
    _runs_flags(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the pictures, or a file (.png .svg) if it is one; by default the folder that holds all runs",
    )
    parser.add_argument(
        "--kind",
        metavar="KIND",
        default="curves",
        help="curves; box: converged cost beside the limit; plane: return over cost, a point a seed [%(default)s]",
    )
    parser.add_argument(
        "--x",
        metavar="AXIS",
        default="step",
        help="of curves: step (env steps), updates (gradient steps), minutes (wall-clock) [%(default)s]",
    )
    parser.add_argument(
        "--smooth", metavar="N", type=count, default=1, help="a point of a curve is the mean of N evaluations round it"
    )
    parser.add_argument(
        "--legend", metavar="NAME", nargs="+", default=[], help="names of the methods, in the order in which they come"
    )


def compare_flags(parser: argparse.ArgumentParser) -> None:
    """Of `bridle compare`."""
    _runs_flags(parser)
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help="text, markdown (or md), latex (or tex), csv; by default as FILE ends (.txt .md .tex .csv), or text",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="where it is written; by default it is printed")
    _reference_flag(parser)


def report_flags(parser: argparse.ArgumentParser) -> None:
    """Of `bridle report`."""
    _runs_flags(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the page (.html), or its folder; by default the folder that holds them all",
    )
    _reference_flag(parser)
    parser.add_argument(
        "--videos",
        metavar="MB",
        type=float,
        default=25.0,
        help="megabytes of videos that the page may hold [%(default)g]",
    )


def _reference_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reference", metavar="METHOD", help="what each method is held against; by default the first that comes"
    )


def said(text: str) -> None:
    """What is not the answer: to a person, not into a pipe."""
    print(f"bridle: {text}", file=sys.stderr)


def plot(told: argparse.Namespace) -> int:
    """bridle plot RUN ..."""
    study = importlib.import_module("bridle.study.plot")
    names = ("out", "x", "kind", "smooth", "select", "exclude", "legend", "cost_limit")
    chosen = {name: getattr(told, name) for name in names}
    for path in study.plot(told.run, **chosen, say=said):
        print(path)
    return 0


def compare(told: argparse.Namespace) -> int:
    """bridle compare RUN ..."""
    study = importlib.import_module("bridle.study.compare")
    study.main(told.run, told.format, told.out, told.reference, told.select, told.exclude, told.cost_limit, said)
    return 0


def report(told: argparse.Namespace) -> int:
    """bridle report RUN ..."""
    study = importlib.import_module("bridle.study.report")
    print(study.report(told.run, told.out, told.reference, told.select, told.exclude, told.videos, told.cost_limit))
    return 0
