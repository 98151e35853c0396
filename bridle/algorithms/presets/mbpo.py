"""What the repository of MBPO trains with (Janner et al. 2019, arXiv:1906.08253), on the tasks of today's Gymnasium."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

MODEL = {
    "members": 7,
    "elites": 5,
    "hidden": (200, 200, 200, 200),
    "loss": "nll",
    "scale_in": True,
    "scale_out": False,
    "rate": 1e-3,
    "decay": (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4),
    "batch": 256,
    "holdout": 0.2,
    "max_holdout": 5_000,
    "patience": 5,
    "max_updates": 0,
}
MBPO = {
    "model": MODEL,
    "rules": "known",
    "discount": 0.99,
    "hidden": (256, 256),
    "batch": 256,
    "actor_rate": 3e-4,
    "critic_rate": 3e-4,
    "alpha": 1.0,
    "target_rate": 0.005,
    "warmup": 5_000,
    "fit_every": 250,
    "every": 250,
    "epoch": 1_000,
    "paths": 100_000,
    "real_share": 0.05,
    "memory": 1_000_000,
    "sampled": True,
    "first_updates": 1_000_000,
}
DIFFERS = "ends are learned where the world tells no rule; hold-out rows stay held out; 250 steps and then their updates, not in turns"


def _on(env: str, updates: int, schedule: tuple[int, ...], entropy: float, steps: int) -> Preset:
    """On a task: updates a step, lengths of paths, target entropy."""
    own = {
        "times": 250 * updates,
        "schedule": schedule,
        "dreams": 400_000 * max(schedule[2:]),
        "target_entropy": entropy,
    }
    task = env.partition("-")[0]
    options = {"env": env, "num_envs": 1, "steps": steps}
    return Preset("mbpo", MBPO | own, options, f"MBPO's config of {task}", DIFFERS)


PRESETS: dict[str, Preset] = {
    "mbpo-halfcheetah": _on("HalfCheetah-v5", 40, (20, 150, 1, 1), -3.0, 400_000),
    "mbpo-hopper": _on("Hopper-v5", 20, (20, 150, 1, 15), -1.0, 125_000),
    "mbpo-walker2d": _on("Walker2d-v5", 20, (20, 150, 1, 1), -3.0, 300_000),
}
