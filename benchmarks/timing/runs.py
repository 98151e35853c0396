"""What checkpoints cost a run, and what it gains by living while it learns."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import bridle
from bridle import envs
from bridle.algorithms import config_class
from bridle.core.algorithm import Algorithm
from bridle.core.types import CostLimit
from bridle.data.replay import Ring
from bridle.run import device
from bridle.run import train as loop
from bridle.run.checkpoint import Saver
from bridle.run.collect import Collector
from bridle.run.duties import Duties
from timing.clock import spread, verdict


def runs(repeats: int, steps: int) -> str:
    """What checkpoints cost a run, and what it gains by living while it learns."""
    share, saves, seconds = checkpoints(steps)
    rows = ["## Runs: our default on SafetyCarCircle-v0", ""]
    rows.append(
        f"Checkpoints: {share:.2%} of a run of {steps:,} env steps ({saves} saves, {seconds:.0f} s; mark: under 2 %) "
        f"{verdict(0.02, share)}. Counted: the loop's wait and the processor time of the thread that writes."
    )
    short = min(steps, 40_000)
    found: dict[bool, list[float]] = {True: [], False: []}
    device.remember()
    whole_loop(True, short)  # compiles, for all that follow
    for _ in range(max(2, repeats // 2)):
        for overlap, speeds in found.items():
            speeds.append(whole_loop(overlap, short))
    gain = median(found[True]) / median(found[False]) - 1
    rows.append("")
    rows.append(
        f"Living while learning (env steps/s of the whole loop, {short:,} steps, compiled before): {spread(found[True])} with "
        f"overlap, {spread(found[False])} without: {gain:+.0%}."
    )
    return "\n".join([*rows, ""])


def checkpoints(steps: int) -> tuple[float, int, float]:
    """(share of the run, saves, seconds of the run)."""
    spent: list[float] = []
    every = min(150_000, max(1, steps // 2))
    with (
        tempfile.TemporaryDirectory() as room,
        timed(Duties, "save", time.perf_counter, spent),
        timed(Saver, "_run", time.thread_time, spent),
    ):
        settings = {"steps": steps, "checkpoint_every": every, "run": f"{room}/run"}
        begin = time.perf_counter()
        quietly(lambda: bridle.train("cvpo", env="SafetyCarCircle-v0", **settings))
        seconds = time.perf_counter() - begin
    return sum(spent) / seconds, len(spent) // 2, seconds


def whole_loop(overlap: bool, steps: int) -> float:
    """Env steps a second of world, ring, policy and updates together, after the first half, in which all is compiled."""
    world = envs.make("SafetyCarCircle-v0", 16)
    built: Algorithm = config_class("cvpo")(warmup=1_000).build(world.spec, CostLimit((10.0,)))
    algorithm = built._replace(overlap=overlap)
    collector = Collector(world, algorithm, 0)
    progress = loop.begin(algorithm, 0)
    memory = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    half: list[tuple[int, float]] = []

    def note(progress, metrics, episodes) -> None:
        if not half and progress.step >= steps // 2:
            half.append((progress.step, time.perf_counter()))

    progress = loop.train(algorithm, collector, memory, steps, 0, progress, report=note)
    begin, when = half[0]
    spent = time.perf_counter() - when
    world.close()
    return (progress.step - begin) / spent


@contextmanager
def timed(owner: type, name: str, clock: Callable[[], float], spent: list[float]) -> Iterator[None]:
    """Note how long each call of a method takes, while this lasts."""
    real = getattr(owner, name)

    def wrapped(*args, **kwargs):
        begin = clock()
        try:
            return real(*args, **kwargs)
        finally:
            spent.append(clock() - begin)

    setattr(owner, name, wrapped)
    try:
        yield
    finally:
        setattr(owner, name, real)


def quietly(do: Callable[[], Any]) -> None:
    """Without what it prints."""
    shown = sys.stdout
    with open(os.devnull, "w") as sys.stdout:
        try:
            do()
        finally:
            sys.stdout = shown
