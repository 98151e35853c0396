"""Does every trial's algorithm fit its environment, and every value its field? Builds them all, trains none."""

from __future__ import annotations

from typing import Any

from bridle.api import asked, worlds
from bridle.api.asked import Asked
from bridle.core.types import Spec
from bridle.run import records
from bridle.run.folder import RunFolder
from bridle.study.sweep.plan import Trial

SHOWN = 8
"""So many different errors are told."""


def check(trials: list[Trial]) -> dict[str, Asked]:
    """Each trial as it will be asked for, by its name; a `ValueError` lists all that cannot be trained."""
    found: dict[str, Asked] = {}
    specs: dict[Any, Spec] = {}
    wrong: dict[str, list[Trial]] = {}
    for trial in trials:
        try:
            settings = dict(trial.settings)
            one = asked.resolve(trial.algorithm, settings.pop("env"), trial.preset, settings)
            spec = _spec_of(one, specs)
            worlds.check_cost(one.config, spec)
            one.config.build(spec, worlds.limit_of(one.options, spec))
        except (ValueError, TypeError, ImportError) as error:
            wrong.setdefault(str(error), []).append(trial)
        else:
            found[trial.name] = one
    if wrong:
        lines = [f"{len(these)} of {len(trials)} trials, {_who(these)}: {text}" for text, these in wrong.items()]
        more = [f"and {len(lines) - SHOWN} other errors"] if len(lines) > SHOWN else []
        more += ["a [[skip]] rule leaves combinations out (docs/studies.md)"] if found else []
        raise ValueError("\n  ".join(["these cannot be trained, so nothing was started:", *lines[:SHOWN], *more]))
    return found


def _who(trials: list[Trial]) -> str:
    """The algorithms and environments of some trials."""
    names = [", ".join(dict.fromkeys(values)) for values in zip(*((t.algorithm, t.env) for t in trials), strict=True)]
    return " on ".join(names)


def differs(one: Asked, run: RunFolder) -> str | None:
    """In what the run that lies in a trial's folder is another one; None if it is the trial's."""
    recorded = run.config
    if recorded["algorithm"] != one.name:
        return f"its algorithm is {recorded['algorithm']}, not {one.name}"
    for part, value in (("options", one.options), ("config", one.config)):
        wanted = records.to_json(value)
        for key, there in recorded[part].items():
            if key not in ("run", "horizon") and key in wanted and wanted[key] != there:
                return f"its {key} is {there}, not {wanted[key]}"
    return None


def _spec_of(one: Asked, known: dict[Any, Spec]) -> Spec:
    """What the trial's world is like; made once for all trials that share it."""
    options = one.options
    key = (options.env, options.env_args, options.num_envs, options.cost_fn, options.horizon)
    if key not in known:
        world = worlds.make(options.env, options, options.num_envs)
        try:
            known[key] = worlds.with_horizon(world, world, options)[0]
        finally:
            world.close()
    return known[key]
