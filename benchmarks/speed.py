"""How fast env steps, updates and whole runs are here, beside the machine's own ceiling, measured in the same run.

    python benchmarks/speed.py            # about 8 minutes; writes benchmarks/results/speed.md
    python benchmarks/speed.py --quick    # half a minute, to see that it works; writes nothing

FLOPs are counted by the plain formula of CVPO: a dense layer costs 2 in out a row, backward is twice forward, and every
network is evaluated where the algorithm as written evaluates it (`evaluations`). Work that our code saves thus counts for
us, and padding it with work that nobody needs does not. The ceiling is the same products of the same shapes and dtype alone,
without anything between them.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np

import bridle
from bridle import envs
from bridle.algorithms import config_class, cvpo, preset
from bridle.core.algorithm import Algorithm
from bridle.core.types import Continuous, CostLimit, Drawn, Leaf, Spec, Transition
from bridle.data.replay import Ring
from bridle.run import device, folder, records
from bridle.run import train as loop
from bridle.run.checkpoint import Saver
from bridle.run.collect import Collector
from bridle.run.duties import Duties

RESULT = Path(__file__).parent / "results" / "speed.md"
TIMES = 32
"""Updates in one scan."""


def main(words: list[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short repeats; nothing is written")
    parser.add_argument("--repeats", type=int, default=9, help="alternating repeats; medians of these are told")
    parser.add_argument("--steps", type=int, default=320_000, help="env steps of the run whose checkpoints are timed")
    parser.add_argument(
        "--only", choices=("worlds", "updates", "runs"), action="append", help="a part; nothing is written"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    told = parser.parse_args(words)
    repeats, seconds, steps = (2, 0.1, 8_000) if told.quick else (told.repeats, 0.7, told.steps)
    device.remember()
    report = [heading(repeats)]
    parts = {
        "worlds": lambda: worlds(repeats, seconds),
        "updates": lambda: updates(repeats, seconds, 2 if told.quick else TIMES),
        "runs": lambda: runs(repeats, steps),
    }
    for name in told.only or parts:
        report.append(parts[name]())
        print(report[-1], flush=True)
    if not told.quick and not told.only:
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text("\n".join(report))
        print(f"written to {told.out}")
    return 0


def heading(repeats: int) -> str:
    """What was measured on what."""
    words = sys.argv[1:]
    told = "".join(f" {word}" for i, word in enumerate(words) if "--out" not in (word, words[i - 1]))
    versions = ", ".join(
        f"{k} {v}" for k, v in folder.versions().items() if k in ("python", "jax", "numpy", "mujoco") and v
    )
    return (
        f"# Speed\n\n`python benchmarks/speed.py{told}`, {time.strftime('%Y-%m-%d')}, commit {commit()}, bridle {bridle.__version__}, "
        f"{versions}; {processor()}, {os.cpu_count()} cores. Medians of {repeats} alternating repeats, smallest and greatest "
        f"in brackets. What is counted and how: [`benchmarks/README.md`](../README.md).\n"
    )


# Worlds ---------------------------------------------------------------------------------------------------------------

WORLDS = (
    ("SafetyBallCircle-v0", 1024, 2_000_000),
    ("SafetyBallCircle-v0", 16, 100_000),
    ("SafetyCarCircle-v0", 64, 15_000),
    ("SafetyCarCircle-v0", 16, 15_000),
)
"""Task, copies, mark."""


def worlds(repeats: int, seconds: float) -> str:
    """Env steps a second with random actions, resets included."""
    made = [(name, copies, mark, *world_of(name, copies)) for name, copies, mark in WORLDS]
    for *_, world, actions in made:
        play(world, actions)
    found: list[list[float]] = [[] for _ in made]
    for _ in range(repeats):
        for speeds, (_, copies, _, world, actions) in zip(found, made, strict=True):
            steps, spent = rate(lambda world=world, actions=actions: play(world, actions), seconds)
            speeds.append(steps * copies * len(actions) / spent)
    rows = ["## Worlds", "", "| task | copies | env steps/s | mark | |", "|---|---|---|---|---|"]
    for speeds, (name, copies, mark, world, _) in zip(found, made, strict=True):
        rows.append(f"| {name} | {copies:,} | {spread(speeds)} | {mark:,} | {verdict(median(speeds), mark)} |")
        world.close()
    return "\n".join([*rows, ""])


def world_of(name: str, copies: int):
    """A world and the actions of one whole episode of each copy, so that every call counts one reset of each."""
    world = envs.make(name, copies)
    world.reset(np.arange(copies))
    horizon = world.spec.horizon
    return world, np.random.default_rng(0).uniform(-1, 1, (horizon, copies, world.spec.action.size)).astype(np.float32)


def play(world, actions) -> None:
    """One episode of each copy."""
    for action in actions:
        world.step(action)


# Updates --------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A CVPO update to be timed."""

    name: str
    config: cvpo.Config
    obs: int
    action: int
    updates_mark: float | None
    """Updates a second."""
    ratio_mark: float | None


def cases(times: int) -> list[Case]:
    """FSRL's shapes, those of the paper's Circle, our default, and our default at 256x256 and 128x128."""
    fsrl = {**preset("fsrl-bullet", "cvpo").config, "n_step": 1, "times": times}
    icml = {**preset("icml22-circle", "cvpo").config, "times": times}
    parse = lambda config: records.from_json(config_class("cvpo"), config)
    default = parse({"times": times})
    found = [
        Case("FSRL's shapes", parse(fsrl), 60, 2, 4 * 56, 0.40),
        Case("ICML'22 Circle's shapes", parse(icml), 8, 2, 3 * 3, 0.65),
        Case("our default, CarCircle", default, 8, 2, None, None),
    ]
    for width, mark in ((256, 0.65), (128, 0.40)):
        wide = parse({"times": times, "hidden": (width, width)})
        if wide != default:
            found.append(Case(f"our default at {width}x{width}", wide, 8, 2, None, mark))
        else:
            found[2] = found[2]._replace(ratio_mark=mark)
    return found


def updates(repeats: int, seconds: float, times: int) -> str:
    """Updates a second, FLOP/s, and the ratio to the ceiling; each repeat times the update and the bare products."""
    made = [(case, update_of(case), chain_of(evaluations(case), times)) for case in cases(times)]
    found: list[list[tuple[float, float]]] = [[] for _ in made]
    for _ in range(repeats):
        for pairs, (_, update, chain) in zip(found, made, strict=True):
            speeds = [times * count / spent for count, spent in (rate(update, seconds), rate(chain, seconds))]
            pairs.append((speeds[0], speeds[1]))
    rows = [
        "## CVPO updates",
        "",
        "| shapes | networks | batch x actions | GFLOP | updates/s | mark | | GFLOP/s | ceiling | ratio | mark | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for pairs, (case, _, _) in zip(found, made, strict=True):
        ours, bare = [a for a, _ in pairs], [b for _, b in pairs]
        rows.append(update_row(case, ours, bare))
    notes = (
        "Ceiling: the same products alone, GFLOP/s of the same count. Marks: 4 times FSRL's 56 updates/s and 3 times the "
        "original's 3, both measured on two such cores; 65 % of the ceiling at 256x256, 40 % at 128x128."
    )
    return "\n".join([*rows, "", notes, ""])


def update_row(case: Case, ours: list[float], bare: list[float]) -> str:
    """A line of the table."""
    giga, config = flops(evaluations(case)) / 1e9, case.config
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    return "| " + " | ".join(
        [
            f"{case.name} (obs {case.obs}, actions {case.action})",
            f"{'x'.join(map(str, config.hidden))}, {config.critics}+{config.cost_critics} critics, fit {config.fit_steps}",
            f"{config.batch} x {config.samples}",
            f"{giga:.2f}",
            spread(ours),
            f"{case.updates_mark:g}" if case.updates_mark else "",
            verdict(median(ours), case.updates_mark),
            f"{giga * median(ours):.0f}",
            f"{giga * median(bare):.0f}",
            f"{median(ratios):.0%} ({min(ratios):.0%}-{max(ratios):.0%})",
            f"{case.ratio_mark:.0%}" if case.ratio_mark else "",
            verdict(median(ratios), case.ratio_mark),
        ]
    ) + " |"  # fmt: skip


def update_of(case: Case) -> Callable[[], None]:
    """A call that makes `times` updates as the loop does: in one scan, from NumPy arrays, the state donated; compiled."""
    spec = Spec("synthetic", Leaf((case.obs,)), Continuous(case.action), 16, 300)
    limit = CostLimit((10.0,))
    algorithm = case.config.build(spec, limit)
    run = loop.compiled(algorithm.updates[0])
    key, data = jax.random.key(0), synthetic(case)
    state = loop.copy(algorithm.init(key))

    def call() -> None:
        nonlocal state
        state, metrics, _ = run(state, data, key, np.uint32(0), np.uint32(0))
        jax.block_until_ready((state, metrics))

    call()
    call()  # what came out of the first call may be of another (weak) type than what went in
    return call


def synthetic(case: Case) -> Drawn:
    """Transitions of a world that nobody lives in: leaves [times B ...]."""
    rng, lead = np.random.default_rng(0), (case.config.times, case.config.batch)
    lead = lead if case.config.n_step == 1 else (*lead, case.config.n_step)
    normal = lambda *tail: rng.normal(size=(*lead, *tail)).astype(np.float32)
    flag = np.zeros(lead, np.bool_)
    rows = Transition(
        obs=normal(case.obs),
        action=np.clip(normal(case.action), -1, 1),
        reward=normal(),
        cost=(normal(1) > 1).astype(np.float32),
        next_obs=normal(case.obs),
        terminated=flag,
        truncated=flag,
        valid=~flag,
        extras={},
    )
    return Drawn(rows, np.zeros(lead, np.int32), np.ones(lead, np.float32), np.full(case.config.times, 1e5, np.float32))


class Evaluation(NamedTuple):
    """A network seen by some rows: forward, and backward too where it learns."""

    rows: int
    sizes: tuple[int, ...]
    learns: bool
    networks: int = 1
    """How many of its kind see the rows."""
    again: int = 1
    """How many times in turn."""


def evaluations(case: Case) -> list[Evaluation]:
    """Every evaluation of a network in one update of CVPO as it is written, and as nobody would have optimised it."""
    config, o, a = case.config, case.obs, case.action
    heads = a + (a * (a + 1) // 2 if config.head == "full" else a)
    actor, critic = (o, *config.hidden, heads), (o + a, *config.hidden, 1)
    critics, rows = config.critics + config.cost_critics, config.batch
    return [
        Evaluation(rows, actor, False),  # the action at the next observation
        Evaluation(rows, critic, False, critics),  # target critics there
        Evaluation(rows, critic, True, critics),  # critics, learning
        Evaluation(rows, actor, False),  # E-step: the old policy
        Evaluation(rows * config.samples, critic, False, critics),  # E-step: critics at every sampled action
        Evaluation(rows, actor, True, again=config.fit_steps),  # M-step
    ]


def flops(several: list[Evaluation]) -> float:
    """Of one update: 2 in out a row and layer; backward twice that."""
    one = lambda e: 2.0 * e.rows * sum(i * o for i, o in zip(e.sizes[:-1], e.sizes[1:], strict=True))
    return sum(one(e) * e.networks * e.again * (3 if e.learns else 1) for e in several)


def chain_of(several: list[Evaluation], times: int) -> Callable[[], None]:
    """A call that makes the products of `times` updates and nothing else; compiled."""
    key = jax.random.key(0)
    flat = [e for e in several for _ in range(e.networks)]
    weights = [
        [jax.random.normal(key, (i, o)) / i**0.5 for i, o in zip(e.sizes[:-1], e.sizes[1:], strict=True)] for e in flat
    ]
    # Those evaluations that see the same rows share them, so that reading memory is no part of the ceiling's cost.
    inputs = {(e.rows, e.sizes[0]): jax.random.normal(key, (times, e.rows, e.sizes[0])) for e in flat}

    @jax.jit
    def run(weights, inputs):
        def one(weights, x):
            ends, new = 0.0, []
            for e, w in zip(flat, weights, strict=True):
                end, w = products(e, w, x[e.rows, e.sizes[0]])
                ends += end
                new.append(w)
            return new, ends

        return jax.lax.scan(one, weights, inputs)

    def call() -> None:
        nonlocal weights
        weights, ends = run(weights, inputs)
        jax.block_until_ready((weights, ends))

    call()
    return call


def products(e: Evaluation, weights: list[Any], x):
    """Forward products; then, where the network learns, two products a layer. The weights move a little, so that no
    product can be left out or made once for all."""
    if e.again > 1:
        once = e._replace(again=1)
        weights, ends = jax.lax.scan(lambda w, _: products(once, w, x)[::-1], weights, length=e.again)
        return ends.sum(), weights
    xs = [x]
    for w in weights:
        xs.append(xs[-1] @ w)
    end = xs[-1].sum()
    if not e.learns:
        return end, weights
    back, moved = xs[-1], []
    for w, seen in zip(reversed(weights), reversed(xs[:-1]), strict=True):
        moved.append(w + 1e-9 * (seen.T @ back))
        back = back @ w.T
    return end + 1e-9 * back.sum(), moved[::-1]


# Runs -----------------------------------------------------------------------------------------------------------------


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


# Measuring ------------------------------------------------------------------------------------------------------------


def rate(call: Callable[[], None], seconds: float) -> tuple[int, float]:
    """(calls, seconds) of as many calls as fit into `seconds`, at least one."""
    count, begin = 0, time.perf_counter()
    while count < 1 or time.perf_counter() - begin < seconds:
        call()
        count += 1
    return count, time.perf_counter() - begin


def spread(values: list[float]) -> str:
    """Median (smallest - greatest)."""
    show = lambda x: f"{x:,.0f}" if x >= 100 else f"{x:.1f}"
    return f"**{show(median(values))}** ({show(min(values))}-{show(max(values))})"


def verdict(value: float, mark: float | None) -> str:
    """Is it at least the mark?"""
    return "" if mark is None else "met" if value >= mark else "**missed**"


def commit() -> str:
    """Of the code that is measured, with a word if it was changed since."""
    here = Path(__file__).parents[1]
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=here, capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = git("status", "--porcelain", "--", "bridle", "benchmarks/speed.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def processor() -> str:
    """Its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
