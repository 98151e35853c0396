"""Learned dynamics: batches of training a second beside the machine's ceiling, and imagined env steps a second."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from unittest import mock

import jax
import jax.numpy as jnp

from bridle import envs
from bridle.algorithms import cmbpo
from bridle.core.types import CostLimit, Transition
from bridle.data.replay import Ring
from bridle.parts.dynamics.doubt import pairwise_kl
from bridle.parts.dynamics.fit import fit
from bridle.parts.dynamics.lived import as_step
from bridle.parts.dynamics.model import Dynamics, held_out, init
from bridle.parts.imagination import imagine
from bridle.run import train as loop
from bridle.run.collect import Collector
from timing.clock import rate, spread, verdict
from timing.flops import FORWARD, LEARNS, Evaluation, chain_of, flops

OBS, ACTION = 17, 6
"""HalfCheetah's."""
LENGTH = 5
"""Imagined steps from each start."""
BLOCK = 2_048
"""Rows of one product of the ceiling of imagination."""
TRAIN_MARK, EVERY_MARK, DRAWN_MARK = 0.70, 1.6 * 37_000, 6 * 37_000
"""Part of the ceiling; imagined env steps a second with every member asked, and with the drawn elite alone, in multiples of what
OfflineRL-Kit's step does on two such cores."""

REAL, DREAMT, ARCHIVE, EPOCH_MARK = 15_000, 35_000, 50_000, 60.0
"""Env steps of an epoch of CMBPO, lived and imagined, those that its archive holds, and seconds that it may take."""


def evaluations(config: Dynamics) -> list[Evaluation]:
    """What a batch of training evaluates."""
    sizes = (OBS + ACTION, *config.hidden, 2 * (OBS + 1))
    # Each member sees rows of its own, so that members of the ceiling share none either.
    return [Evaluation(config.batch, sizes, LEARNS, config.members)]


def training(config: Dynamics, updates: int) -> Callable[[], None]:
    """A fit of so many batches, hold-out rows and all, from rows on the device, the state donated; compiled."""
    rows = nowhere(30_000)
    valid = jnp.ones(30_000, jnp.bool_)
    held = held_out(valid, config)
    run = jax.jit(partial(fit, config=config), donate_argnums=0)
    state = init(jax.random.key(0), OBS, ACTION, 1, config)
    state = jax.tree.map(jnp.copy, state)  # leaves that share memory cannot be donated twice

    def call() -> None:
        nonlocal state
        state, metrics = run(state, rows, valid, held, jax.random.key(1))
        jax.block_until_ready(metrics)
        assert int(metrics["updates"]) == updates

    call()
    return call


def imagining(config: Dynamics, starts: int, doubt) -> Callable[[], None]:
    """Paths of `LENGTH` steps from so many starts, of a policy that costs nothing; compiled."""
    state = init(jax.random.key(0), OBS, ACTION, 1, config)
    begin = jax.random.normal(jax.random.key(1), (starts, OBS))
    act = lambda obs, key: (jnp.tanh(obs[:, :ACTION]), {})

    @jax.jit
    def run(state, begin, key):
        return imagine(as_step(state, 1, config, doubt=doubt), act, begin, LENGTH, key)

    def call() -> None:
        jax.block_until_ready(run(state, begin, jax.random.key(2)))

    call()
    return call


def nowhere(size: int) -> Transition:
    """Rows of a world that nobody lives in."""
    normal = lambda k, *shape: jax.random.normal(jax.random.key(k), shape)
    obs, flag = normal(0, size, OBS), jnp.zeros(size, jnp.bool_)
    action = jnp.tanh(normal(1, size, ACTION))
    after = obs + 0.1 * normal(2, size, OBS)
    return Transition(obs, action, normal(3, size), jnp.zeros((size, 1)), after, flag, flag, ~flag, {})


def models(repeats: int, seconds: float, updates: int, starts: int) -> str:
    """Two tables; each repeat times ours and the bare products in turn."""
    config = Dynamics(max_epochs=10**6, max_updates=updates, max_holdout=512, patience=10**6)
    several = evaluations(config)
    batch = training(config, updates), chain_of(several, updates)
    forward = lambda members: [Evaluation(BLOCK, several[0].sizes, FORWARD, members)]
    asked = {
        "every member, pairwise KL": (imagining(config, starts, pairwise_kl), forward(config.members), EVERY_MARK),
        "the drawn elite alone": (imagining(config, starts, None), forward(1), DRAWN_MARK),
    }
    bare = {name: chain_of(each, 32) for name, (_, each, _) in asked.items()}
    pairs: list[tuple[float, float]] = []
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(repeats):
        ours, ceiling = (updates * count / spent for count, spent in (rate(call, seconds) for call in batch))
        pairs.append((ours, ceiling))
        for name, (call, _, _) in asked.items():
            count, spent = rate(call, seconds)
            many, whole = rate(bare[name], seconds)
            found[name].append((LENGTH * starts * count / spent, 32 * BLOCK * many / whole))
    giga = flops(several) / 1e9
    ratios = [a / b for a, b in pairs]
    rows = [
        "## Learned dynamics: 7 members of 4 x 200, 17 observations and 6 actions",
        "",
        "| what | a second | ceiling | ratio | mark | |",
        "|---|---|---|---|---|---|",
        (
            f"| training, batches of 256 a member ({giga:.2f} GFLOP) | {spread([a for a, _ in pairs])} | "
            f"{spread([b for _, b in pairs])} ({giga * median(b for _, b in pairs):.0f} GFLOP/s) | {median(ratios):.0%} | "
            f"{TRAIN_MARK:.0%} | {verdict(median(ratios), TRAIN_MARK)} |"
        ),
    ]
    for name, (_, _, mark) in asked.items():
        ours, most = [a for a, _ in found[name]], [b for _, b in found[name]]
        part = median(a / b for a, b in found[name])
        rows.append(
            f"| imagined env steps, {name} | {spread(ours)} | {spread(most)} | {part:.0%} | {mark:,.0f} | "
            f"{verdict(median(ours), mark)} |"
        )
    notes = (
        f"Training: whole fits of {updates} batches from 30,000 rows, with draws, standardising and the judging of 512 hold-out rows. "
        f"Imagination: {starts:,} starts, {LENGTH} steps, sampled next observations, the policy a tanh. "
        f"Ceiling: the same products alone; of imagination in blocks of {BLOCK:,} rows."
    )
    return "\n".join([*rows, "", notes, ""])


def lived_epochs(repeats: int, real: int) -> list[tuple[float, dict[str, float], dict[str, float]]]:
    """After each epoch of CMBPO: when, seconds spent in each update so far, metrics. The first one compiles."""
    model = Dynamics(hidden=(200, 200), loss="mse", decay=(2.5e-7, 5e-7, 1e-6), scale_out=True, max_epochs=1)
    archive = real * ARCHIVE // REAL
    often = {
        "real": real,
        "min_real": real,
        "max_real": real,
        "fit_every": real,
        "explore": 3 * real,
        "memory": archive,
    }
    config = cmbpo.Config(model=model, batch=real * (REAL + DREAMT) // REAL, first_updates=1_000, **often)
    world = envs.make("HalfCheetahSafe-v2", 10)
    algorithm = config.build(world.spec, CostLimit((10.0,)))
    collector, spent, found = Collector(world, algorithm, 0), {"model": 0.0, "policy": 0.0}, []
    build = loop.compiled

    def timed(update):
        run = build(update)

        def call(*args):
            begin = time.perf_counter()
            done = jax.block_until_ready(run(*args))
            spent[update.name] += time.perf_counter() - begin
            return done

        return call

    def note(progress, metrics, episodes) -> None:
        if "policy/kl" in metrics:
            found.append((time.perf_counter(), dict(spent), metrics))

    progress = loop.begin(algorithm, 0)
    memory = Ring(world.spec, algorithm.memory, collector.example_extras(progress.actor), algorithm.columns)
    with mock.patch.object(loop, "compiled", timed):
        loop.train(algorithm, collector, memory, real * (4 + repeats), 0, progress, report=note)
    world.close()
    return found


def epochs(repeats: int, real: int = REAL) -> str:
    """A table of whole epochs of CMBPO on HalfCheetahSafe: living, one pass over the archive for the model, imagination, the policy's step."""
    found = lived_epochs(repeats, real)
    pairs = list(itertools.pairwise(found))
    whole = [b[0] - a[0] for a, b in pairs]
    share = {name: median(b[1][name] - a[1][name] for a, b in pairs) for name in ("model", "policy")}
    last = found[-1][2]
    met = verdict(EPOCH_MARK, median(whole))  # fewer seconds are better
    notes = (
        f"Median of {len(whole)}. One pass over an archive of {real * ARCHIVE // REAL:,} steps ({last['model/updates']:.0f} updates of 7 members); "
        f"{last['policy/imagined_steps']:,.0f} steps were imagined for the last epoch."
    )
    return "\n".join(
        [
            f"## An epoch of CMBPO on HalfCheetahSafe-v2: {real:,} env steps lived, {real * DREAMT // REAL:,} imagined",
            "",
            "| what | seconds | mark | |",
            "|---|---|---|---|",
            f"| whole | {spread(whole)} | {EPOCH_MARK:.0f} | {met} |",
            f"| fitting the model | {share['model']:.1f} | | |",
            f"| imagination and the policy's step | {share['policy']:.1f} | | |",
            "",
            notes,
            "",
        ]
    )
