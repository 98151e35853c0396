"""bridle sweep: its flags, and what it calls."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from bridle.cli.reading import count

USAGE = (
    "bridle sweep STUDY.toml [--engine local|ray] [--address A] [--workers N] [--max-minutes M] [--dry-run]"
    " [--retry-failed]"
)
ABOUT = "Train all trials of a study file: algorithms x environments x seeds x settings. The same command continues it."
EXAMPLES = (
    "bridle sweep examples/bullet.toml --dry-run",
    "bridle sweep examples/bullet.toml --workers 2 --max-minutes 60",
    "bridle sweep examples/bullet.toml --retry-failed",
    "bridle sweep examples/bullet.toml --engine ray --address auto",
)


def flags(parser: argparse.ArgumentParser) -> None:
    """Give the parser its flags."""
    parser.add_argument("study", metavar="STUDY", type=Path, help="a TOML file; docs/studies.md says what it may hold")
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="a pool of processes here, or Ray Tune [%(default)s]",
    )
    parser.add_argument("--address", metavar="A", help="of a Ray cluster (`auto`: the one that runs here)")
    parser.add_argument("--workers", metavar="N", type=count, help="trials at once; by default cores // cpus")
    parser.add_argument("--max-minutes", metavar="M", type=_minutes, help="save everything and leave after so long")
    parser.add_argument("--dry-run", action="store_true", help="check and list the trials, train none")
    parser.add_argument("--retry-failed", action="store_true", help="also try again what has failed")


def run(told: argparse.Namespace) -> int:
    """bridle sweep STUDY"""
    study = importlib.import_module("bridle.study.sweep")
    asked = study.Asked(
        told.study, told.engine, told.address, told.workers, told.max_minutes, told.dry_run, told.retry_failed
    )
    return study.sweep(asked)


def _minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}; allowed: a number > 0")
    return number
