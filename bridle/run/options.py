"""What a run is asked to do, apart from its algorithm; the command line and the run folder say it in these words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bridle.core.config import check_ranges, check_types


@dataclass(frozen=True)
class Options:
    """One training run."""

    env: str = "SafetyCarCircle-v0"
    """A task of ours, a Gymnasium id, or `module:callable` of your own."""
    cost_limit: tuple[float, ...] = (10.0,)
    """The expected undiscounted cost of one episode that may not be exceeded, one number a constraint."""
    steps: int = 1_500_000
    """Env steps, summed over all copies."""
    seed: int = 0
    """Everything random in the run follows from it."""
    num_envs: int = 16
    """Copies of the environment that are stepped together."""
    env_args: tuple[str, ...] = ()
    """Arguments of the environment as `name=value`, such as `dialect=cvpo`."""
    cost_fn: str | None = None
    """`module:function` that gives the cost as `cost_fn(obs, action, next_obs)`, for an environment that tells none."""
    horizon: int | None = None
    """Env steps after which an environment without a limit of its own is truncated; by default its limit is measured."""
    run: str | None = None
    """The run's folder; by default `runs/ENV/ALGO/seed-S-TIME`."""
    cost_limit_start: tuple[float, ...] | None = None
    """Where the schedule of the cost limit begins."""
    cost_limit_schedule: Literal["constant", "linear", "exponential"] = "constant"
    """How the limit moves from its start to `cost_limit`."""
    cost_limit_steps: int = 0
    """Env steps over which it moves."""
    eval_every: int = 15_000
    """Env steps between two evaluations."""
    eval_episodes: int = 10
    """Episodes of one evaluation, on environments and seeds of their own."""
    log_every: int = 5_000
    """Env steps between two rows of metrics."""
    checkpoint_every: int = 150_000
    """Env steps between two checkpoints."""
    keep: int = 3
    """Checkpoints that are kept, apart from the best."""
    device: Literal["cpu", "gpu", "tpu"] = "cpu"
    """Where updates are computed."""
    from_run: str | None = None
    """A run whose networks this one starts from; on the command line also `--from RUN`."""

    def __post_init__(self):
        check_types(self)
        start, moves = self.cost_limit_start, self.cost_limit_schedule != "constant"
        checks = {
            "cost_limit": (_are_limits(self.cost_limit), "one or more numbers >= 0"),
            "steps": (self.steps > 0, "an integer > 0"),
            "seed": (0 <= self.seed < 2**31, "an integer in [0, 2^31)"),
            "num_envs": (self.num_envs > 0, "an integer > 0"),
            "horizon": (self.horizon is None or self.horizon > 0, "an integer > 0"),
            "cost_limit_start": (start is None or _are_limits(start), "one or more numbers >= 0"),
            "cost_limit_schedule": (
                moves == (start is not None) == (self.cost_limit_steps > 0),
                "linear or exponential with cost_limit_start and cost_limit_steps > 0, or constant without them",
            ),
            "eval_every": (self.eval_every > 0, "an integer > 0"),
            "eval_episodes": (self.eval_episodes > 0, "an integer > 0"),
            "log_every": (self.log_every > 0, "an integer > 0"),
            "checkpoint_every": (self.checkpoint_every > 0, "an integer > 0"),
            "keep": (self.keep > 0, "an integer > 0"),
        }
        check_ranges(self, checks)


def _are_limits(values: tuple[float, ...]) -> bool:
    return len(values) > 0 and all(math.isfinite(x) and x >= 0 for x in values)
