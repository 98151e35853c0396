"""What is due while a run goes on: evaluations, rows of metrics, checkpoints. Learning never reads any of it back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bridle.core.algorithm import Algorithm
from bridle.core.types import CostLimit
from bridle.run import best
from bridle.run.checkpoint import Saver
from bridle.run.diverged import FINITE, Diverged, first_bad_leaf
from bridle.run.evaluate import Evaluation, Evaluator
from bridle.run.log import Display, Log
from bridle.run.options import Options
from bridle.run.tally import Tally
from bridle.run.train import Duty, Progress, is_due


@dataclass
class Rows:
    """Which rows of `metrics.csv` belong to a run that nobody interrupts: what a resumed one keeps."""

    last: int = 0
    """Step of the last of them."""
    amended: dict[str, float] | None = None
    """The row after `last` as it should be, where the one that was written also holds a closing evaluation."""


@dataclass
class Duties:
    """The duties of one run. The end of a run may lie off the grid of a duty; what is then written besides is taken
    back when the run is resumed, so that `metrics.csv` holds the same rows as if it had never stopped."""

    path: Path
    options: Options
    limit: CostLimit
    algorithm: Algorithm
    block: int
    """Env steps between two looks at what is due."""
    collector: Any
    memory: Any
    evaluator: Evaluator
    display: Display
    log: Log
    saver: Saver
    tally: Tally
    rows: Rows = field(default_factory=Rows)
    evaluation: Evaluation | None = None
    """The last one."""
    first_updates: int = 0
    """Gradient steps before this sitting."""

    def __post_init__(self):
        self._pending: dict[str, float] = {}
        self._written = self._saved = -1

    def list(self) -> list[Duty]:
        """In the order in which they are done at one step: a checkpoint holds what a row told."""
        every = self.options
        return [
            Duty(every.eval_every, self.evaluate),
            Duty(every.log_every, self.write_row),
            Duty(every.eval_every, self.write_row),
            Duty(every.checkpoint_every, self.save),
        ]

    def report(self, progress: Progress, metrics: dict[str, float], episodes: list) -> None:
        """Take note of a block."""
        self.tally.add(metrics, episodes)
        if episodes:
            self.tally.add_kinds(self.collector.spec.kinds, self.collector.finished)
        self.display.tick(progress.step, progress.updates - self.first_updates)

    def evaluate(self, progress: Progress) -> None:
        """Play whole episodes with the newest policy, and keep it if it is the best so far."""
        actor = self.algorithm.actor(progress.state)
        found = self.evaluator.play(actor, self.options.eval_episodes, progress.step)
        self.evaluation, self._pending = found, found.metrics(self.limit.limit)
        facts = {
            "step": progress.step,
            "return": float(found.returns.mean()),
            "cost": [float(c) for c in found.cost.mean(0)],
            "limit": list(self.limit.limit) or [float("inf")] * found.cost.shape[1],
            "episodes": len(found.returns),
            "sampled": self.evaluator.sampled,
            "closing": not is_due(self.options.eval_every, progress.step, self.block),
        }
        best.save(self.path, actor, facts)

    def write_row(self, progress: Progress) -> None:
        """One row with everything since the last one, whichever duty asks for it."""
        step = progress.step
        if self._written == step:
            return
        logged, evaluated = (is_due(x, step, self.block) for x in (self.options.log_every, self.options.eval_every))
        row = {"step": step, **self.tally.means(), **self.tally.speeds(step, progress.updates)}
        full = row | self._pending
        self.log.write(full)
        self.display.row(full)
        if logged or evaluated:
            closing = bool(self._pending) and not evaluated
            self.rows = Rows(self.rows.last, row) if closing else Rows(step)
            self.tally.clear()
        self._pending, self._written = {}, step

    def save(self, progress: Progress) -> None:
        """A checkpoint of everything; written by a thread while the run goes on."""
        if self._saved == progress.step:
            return
        if (leaf := first_bad_leaf(progress.state)) != FINITE:  # metrics are of before an update's last step
            raise Diverged(max(progress.since, key=lambda name: progress.since[name]), progress.step, None, leaf)
        tree = {"state": progress.state, "actor": progress.actor, "source": self.collector.get_state() or {}}
        facts = {
            "step": progress.step,
            "total": self.options.steps,
            "updates": progress.updates,
            "due": progress.due,
            "since": progress.since,
            "tally": self.tally.get_state(),
            "rows": asdict(self.rows),
            "seconds": self.tally.seconds,
        }
        self.saver.save(progress.step, tree, facts, self.memory)
        self._saved = progress.step
