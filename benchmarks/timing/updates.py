"""Updates a second of every algorithm, beside the ceiling: the same products of the same shapes and dtype alone."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np

from bridle.algorithms import base_of, config_class, preset
from bridle.core.types import Continuous, CostLimit, Drawn, Leaf, Spec, Transition
from bridle.run import records
from bridle.run import train as loop
from timing.clock import rate, spread, verdict
from timing.flops import Evaluation, chain_of, flops, of_cvpo, of_sac, of_td3

EVERY = ("cvpo", "sac", "sac-lag", "sac-pid", "td3", "td3-lag", "ddpg", "ddpg-lag")
"""Names whose updates are timed with their defaults, at each width."""
WIDTHS = {256: 0.65, 128: 0.40}
"""Of both hidden layers -> the part of the ceiling that an update has to reach."""
COUNTS = {"cvpo": of_cvpo, "sac": of_sac, "td3": of_td3, "ddpg": of_td3}
"""Algorithm -> (config, observations, actions) -> what it evaluates."""


class Case(NamedTuple):
    """An update to be timed."""

    name: str
    algorithm: str
    config: Any
    obs: int
    action: int
    updates_mark: float | None = None
    """Updates a second."""
    ratio_mark: float | None = None

    @property
    def evaluations(self) -> list[Evaluation]:
        return COUNTS[self.algorithm](self.config, self.obs, self.action)


def cases(times: int) -> list[Case]:
    """CVPO at FSRL's shapes and at those of the paper's Circle; then every algorithm's defaults on CarCircle."""
    fsrl = {**preset("fsrl-bullet", "cvpo").config, "n_step": 1, "times": times}
    icml = {**preset("icml22-circle", "cvpo").config, "times": times}
    parse = lambda name, config: records.from_json(config_class(name), config)
    found = [
        Case("cvpo, FSRL's shapes", "cvpo", parse("cvpo", fsrl), 60, 2, 4 * 56, 0.40),
        Case("cvpo, ICML'22 Circle's shapes", "cvpo", parse("cvpo", icml), 8, 2, 3 * 3, 0.65),
    ]
    for width, mark in WIDTHS.items():
        for name in EVERY:
            base, told = base_of(name)
            config = parse(base, {**told, "times": times, "hidden": (width, width)})
            found.append(Case(name, base, config, 8, 2, None, mark))
    return found


def updates(repeats: int, seconds: float, times: int) -> str:
    """Updates a second, FLOP/s, and the ratio to the ceiling; each repeat times the update and the bare products."""
    made = [(case, update_of(case), chain_of(case.evaluations, times)) for case in cases(times)]
    found: list[list[tuple[float, float]]] = [[] for _ in made]
    for _ in range(repeats):
        for pairs, (_, update, chain) in zip(found, made, strict=True):
            speeds = [times * count / spent for count, spent in (rate(update, seconds), rate(chain, seconds))]
            pairs.append((speeds[0], speeds[1]))
    rows = [
        "## Updates",
        "",
        "| update | networks | batch | GFLOP | updates/s | mark | | GFLOP/s | ceiling | ratio | mark | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for pairs, (case, _, _) in zip(found, made, strict=True):
        ours, bare = [a for a, _ in pairs], [b for _, b in pairs]
        rows.append(update_row(case, ours, bare))
    notes = (
        "Observations and actions: 60 and 2 at FSRL's shapes, else 8 and 2. A number after a batch: actions sampled a state. "
        "Ceiling: the same products alone, GFLOP/s of the same count. Marks: 4 times FSRL's 56 updates/s and 3 times the "
        "original's 3, both measured on two such cores; 65 % of the ceiling at 256x256, 40 % at 128x128."
    )
    return "\n".join([*rows, "", notes, ""])


def update_row(case: Case, ours: list[float], bare: list[float]) -> str:
    """A line of the table."""
    giga = flops(case.evaluations) / 1e9
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    return "| " + " | ".join(
        [
            case.name,
            networks_of(case),
            f"{case.config.batch}" + (f" x {case.config.samples}" if case.algorithm == "cvpo" else ""),
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


def networks_of(case: Case) -> str:
    """Such as `128x128, 2+1 critics`, where those of cost come second."""
    config, cvpo = case.config, case.algorithm == "cvpo"
    costs = config.cost_critics if cvpo or config.constrained else 0
    learns = (
        f", fit {config.fit_steps}" if cvpo else f", actor 1/{config.actor_every}" if config.actor_every > 1 else ""
    )
    return f"{'x'.join(map(str, config.hidden))}, {config.critics}+{costs} critics{learns}"


def update_of(case: Case) -> Callable[[], None]:
    """A call that makes `times` updates as the loop does: in one scan, from NumPy arrays, the state donated; compiled."""
    spec = Spec("synthetic", Leaf((case.obs,)), Continuous(case.action), 16, 300, ("cost",))
    algorithm = case.config.build(spec, CostLimit((10.0,)))
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
