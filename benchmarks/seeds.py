"""Several seeds of one training: apart, as one compiled program, in threads, in processes. The figures of decision 0018.

    python benchmarks/seeds.py updates    # processor time of a block of updates: apart, vmapped, mapped over seeds
    python benchmarks/seeds.py loops      # whole loops: one seed at a time, threads of one process, processes

Told is processor time, medians of interleaved repeats: other work on the machine disturbs it least.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

ONE = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One thread for everything; NPROC is XLA's."""
BLOCK = 320
"""Env steps, and 32 updates, of one block of our defaults."""


def main(words: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("updates", "loops", "worker"))
    parser.add_argument("--algorithms", nargs="+", default=["cvpo", "sac"])
    parser.add_argument("--widths", nargs="+", type=int, default=[32, 64, 128, 256])
    parser.add_argument("--seeds", type=int, default=4, help="how many")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--own", type=int, nargs="*", help="of a worker: the seeds that it trains")
    parser.add_argument("--threads", action="store_true", help="of a worker: a thread for each seed")
    told = parser.parse_args(words)
    if told.part == "worker":
        return worker(told.algorithms[0], told.widths[0], told.own, told.threads)
    part, unit = {"updates": (updates, "ms a block and seed"), "loops": (loops, "ms of 320 env steps of a seed")}[
        told.part
    ]
    for algorithm in told.algorithms:
        for width in told.widths:
            found = part(algorithm, width, told.seeds, told.repeats)
            ways = "; ".join(f"{name} {spread(values)}" for name, values in found.items())
            print(f"{algorithm} {width}x{width}, {told.seeds} seeds, {unit}: {ways}", flush=True)
    return 0


def spread(values: list[float]) -> str:
    """Median (smallest-greatest), in ms."""
    return f"{1e3 * median(values):.1f} ({1e3 * min(values):.1f}-{1e3 * max(values):.1f})"


# One process ----------------------------------------------------------------------------------------------------------


def run_of(algorithm: Any, world: Any, seed: int):
    """What the loop needs for one seed."""
    from bridle.data.replay import Ring
    from bridle.run import train as loop
    from bridle.run.collect import Collector

    collector, progress = Collector(world, algorithm, seed), loop.begin(algorithm, seed)
    memory = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    return collector, memory, progress


def made(name: str, width: int):
    """The algorithm and a function that makes a world."""
    from bridle import envs
    from bridle.algorithms import config_class
    from bridle.core.types import CostLimit
    from bridle.run import device

    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    device.remember()
    make = lambda: envs.make("SafetyCarCircle-v0", 16)
    return config_class(name)(hidden=(width, width)).build(make().spec, CostLimit((10.0,))), make


def updates(name: str, width: int, seeds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of processor time of a block of updates of one seed, computed in three ways, by one thread."""
    os.environ.update(ONE)
    import jax
    import jax.numpy as jnp
    import numpy as np

    from bridle.run import train as loop
    from bridle.run.collect import base_key, generator

    algorithm, make = made(name, width)
    update = algorithm.updates[0]
    block = loop.compiled(update).__wrapped__
    apart = jax.jit(block)
    states, drawn, keys = [], [], []
    for seed in range(seeds):
        collector, memory, progress = run_of(algorithm, make(), seed)
        progress = loop.train(algorithm, collector, memory, 6_400, seed, progress)  # a little trained
        rng = generator(seed, "draws", 6_400, 0, 0)
        states.append(progress.state)
        drawn.append(jax.tree.map(jnp.asarray, memory.draw(update.draw, update.times, 6_400, 0, rng)))
        keys.append(base_key(seed, "updates"))
    place = np.uint32(6_400), np.uint32(0)
    stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees) for trees in (states, drawn, keys)]
    batched = jax.jit(jax.vmap(block, (0, 0, 0, None, None)))
    mapped = jax.jit(lambda *trees: jax.lax.map(lambda one: block(*one, *place), trees))
    ways = {
        "apart": lambda: [jax.block_until_ready(apart(*one, *place)) for one in zip(states, drawn, keys, strict=True)],
        "vmap": lambda: jax.block_until_ready(batched(*stacked, *place)),
        "map": lambda: jax.block_until_ready(mapped(*stacked)),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way, call in ways.items():
            begin = time.process_time()
            call()
            if repeat:  # the first one compiles
                found[way].append((time.process_time() - begin) / seeds)
    return found


# Several processes ----------------------------------------------------------------------------------------------------


def worker(name: str, width: int, seeds: list[int], threads: bool) -> int:
    """Train these seeds, so many blocks for each line on stdin; answers with its processor time."""
    from bridle.run import collect
    from bridle.run import train as loop

    algorithm, make = made(name, width)
    programs = {update.name: loop.compiled(update) for update in algorithm.updates}
    acting = collect.acting(algorithm, 16, True)
    loop.compiled = lambda update: programs[update.name]
    collect.acting = lambda *_: acting
    runs = [(seed, *run_of(algorithm, make(), seed)) for seed in seeds]

    def train(seed, collector, memory, progress, steps):
        loop.train(algorithm, collector, memory, progress.step + steps, seed, progress)

    def go(blocks: int) -> float:
        begin = time.process_time()
        calls = [threading.Thread(target=train, args=(*run, blocks * BLOCK)) for run in runs]
        for call in calls:
            call.start()
            if not threads:
                call.join()
        for call in calls:
            call.join()
        return time.process_time() - begin

    go(20)
    print("ready", flush=True)
    for line in sys.stdin:
        print(go(int(line)), flush=True)
    return 0


def loops(name: str, width: int, seeds: int, repeats: int, blocks: int = 4) -> dict[str, list[float]]:
    """Seconds of processor time of 320 env steps of one seed, all else than evaluation and files included."""
    everyone = list(range(seeds))

    def start(own: list[int], *more: str, **env: str) -> subprocess.Popen:
        words = [sys.executable, __file__, "worker", "--algorithms", name, "--widths", str(width), *more]
        words += ["--own", *map(str, own)]
        told = {**os.environ, **env, "PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.Popen(words, stdin=-1, stdout=-1, text=True, env=told)

    ways = {
        "one at a time": [start(everyone)],
        "threads": [start(everyone, "--threads")],
        "processes": [start([seed], **ONE) for seed in everyone],
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    for pool in ways.values():
        [process.stdout.readline() for process in pool]
    for _ in range(repeats):
        for way, pool in ways.items():
            for process in pool:
                print(blocks, file=process.stdin, flush=True)
            found[way].append(sum(float(process.stdout.readline()) for process in pool) / seeds / blocks)
    for process in (process for pool in ways.values() for process in pool):
        process.communicate()
    return found


if __name__ == "__main__":
    sys.exit(main())
