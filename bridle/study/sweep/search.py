"""Optuna chooses the settings of each sample, by how those before it did; a sample is all its seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from ray.tune.search import Searcher

from bridle.run import log
from bridle.run.folder import open_run
from bridle.study.sweep import chance
from bridle.study.sweep.job import Job
from bridle.study.sweep.nested import put
from bridle.study.sweep.plan import Trial
from bridle.study.sweep.process import Place

BEHIND = 1e6
"""An infeasible policy stands so far behind a feasible one, and the farther the greater its excess of cost."""


class Search(Searcher):
    """Suggests samples to Tune. What was suggested lies in `study.json`, so that a killed driver asks for it again."""

    def __init__(self, job: Job, asked_of: Callable[[list[Trial]], dict]):
        super().__init__()
        self.job, self.asked_of, self.random = job, asked_of, chance.leaves_of(job.study.random)
        self.metric_told = job.study.search.get("metric", chance.SEARCH["metric"])
        mode = job.study.search.get("mode", chance.SEARCH["mode"])
        self.space = {".".join(path): _distribution(how) for path, how in self.random.items()}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.groups: dict[str, list[Trial]] = {}
        for trial in job.manifest.trials.values():
            self.groups.setdefault(group_of(trial), []).append(trial)
        known = [group for group in self.groups if self._is_known(group)]
        samples, seed = len(self.groups), job.study.random.get("seed", 0)
        sampler = optuna.samplers.TPESampler(
            seed=1_000 * seed + len(known), n_startup_trials=max(3, min(10, samples // 3))
        )
        self.study = optuna.create_study(direction="maximize" if mode == "max" else "minimize", sampler=sampler)
        left = {group_of(trial) for trial in job.left}
        for group in known:
            if group not in left and (value := self._value(group)) is not None:
                params = self._params(group)
                self.study.add_trial(optuna.trial.create_trial(params=params, distributions=self.space, value=value))
        self.waiting = sorted(left, key=lambda group: (not self._is_known(group), list(self.groups).index(group)))
        self.asked: dict[str, tuple[str, Any]] = {}

    def suggest(self, trial_id: str) -> dict | str | None:
        """The next sample; one that a driver before us has begun comes first, with its own values."""
        if not self.waiting:
            return Searcher.FINISHED
        group = self.waiting.pop(0)
        if self._is_known(group):
            self.study.enqueue_trial(self._params(group))
        asked = self.study.ask(self.space)
        self.asked[trial_id] = group, asked
        for i, trial in enumerate(self.groups[group]):
            self.groups[group][i] = self._with(trial, asked.params)
        self.job.manifest.save()
        return self.asked_of([trial for trial in self.groups[group] if trial.name in self.job.places])

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        """Tell Optuna how it did."""
        group, asked = self.asked.pop(trial_id)
        value = self._value(group)
        if value is None:
            self.study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(asked, value)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: all lies in `study.json` and in the run folders."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see `save`."""

    def _with(self, trial: Trial, params: dict[str, Any]) -> Trial:
        settings = dict(trial.settings)
        for path, how in self.random.items():
            value = params[".".join(path)]
            put(settings, path, how["choice"][value] if "choice" in how else value)
        trial = trial._replace(settings=settings)
        self.job.manifest.trials[trial.name] = trial
        self.job.manifest.found[trial.name] |= {"settings": settings, "drawn": params}
        if trial.name in self.job.places:
            self.job.places[trial.name] = Place(self.job.folder, trial)
        return trial

    def _is_known(self, group: str) -> bool:
        return self._params(group) is not None

    def _params(self, group: str) -> dict[str, Any] | None:
        """What was drawn for it, be it for seeds that the study had before; None if nothing was."""
        told = (self.job.manifest[trial.name].get("drawn") for trial in self.groups[group])
        return next(filter(None, told), None)

    def _value(self, group: str) -> float | None:
        """The mean over seeds; None if one is not done, or does not tell the metric."""
        places = [Place(self.job.folder, trial) for trial in self.groups[group]]
        if not all(place.is_complete() for place in places):
            return None
        values = [score(place.run, self.metric_told) for place in places]
        mean = sum(values) / len(values)
        return mean if math.isfinite(mean) else None


def group_of(trial: Trial) -> str:
    """The sample of a trial: its name without its seed."""
    return trial.name.rpartition("seed-")[0]


def score(run: Path, metric: str) -> float:
    """A metric in the last row that tells it; `eval/return at feasibility` puts what exceeds its limit behind all else."""
    columns = log.read(run / "metrics.csv")
    name = "eval/return" if metric == chance.SEARCH["metric"] else metric
    told = columns.get(name, [math.nan])
    rows = [i for i, value in enumerate(told) if math.isfinite(value)]
    if not rows or metric != chance.SEARCH["metric"]:
        return float(told[rows[-1]]) if rows else math.nan
    cost = [float(columns[key][rows[-1]]) for key in columns if key == "eval/cost" or key.startswith("eval/cost_")]
    cost = [value for value in cost if math.isfinite(value)]
    limit = open_run(run).config["options"]["cost_limit"]
    limit = limit * len(cost) if len(limit) == 1 else limit
    excess = sum(max(0.0, x - bound) / max(bound, 1.0) for x, bound in zip(cost, limit, strict=False))
    return float(told[rows[-1]]) if excess == 0 else -BEHIND * (1 + excess)


def _distribution(how: dict) -> optuna.distributions.BaseDistribution:
    ((kind, values),) = how.items()
    if kind == "choice":
        return optuna.distributions.CategoricalDistribution(range(len(values)))
    if kind == "integers":
        return optuna.distributions.IntDistribution(*values)
    return optuna.distributions.FloatDistribution(*map(float, values), log=kind == "log-uniform")
