"""What REDQ and DroQ were trained with: ensembles of critics, many updates a step."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

ENSEMBLES = {
    "discount": 0.99,
    "hidden": (256, 256),
    "n_step": 1,
    "batch": 256,
    "every": 1,
    "times": 20,
    "actor_every": 20,
    "memory": 1_000_000,
    "warmup": 5_000,
    "temperature": "learned",
    "alpha": 1.0,
    "alpha_rate": 3e-4,
    "target_rate": 0.005,
    "actor_rate": 3e-4,
    "critic_rate": 3e-4,
}
"""What REDQ and DroQ have in common."""
ENSEMBLES_OPTIONS = {"env": "Hopper-v5", "num_envs": 1, "steps": 125_000, "eval_every": 1_000}
ENSEMBLES_DIFFERS = "alpha holds an entropy of minus the number of actions, where the original has a table by task; our networks' last layers begin small"

PRESETS: dict[str, Preset] = {
    "redq": Preset(
        "sac",
        ENSEMBLES | {"critics": 10, "subset": 2},
        ENSEMBLES_OPTIONS,
        "REDQ (Chen et al. 2021): ten critics, two of which count in a target, 20 updates a step; --constraint lagrange keeps a limit",
        ENSEMBLES_DIFFERS,
    ),
    "droq": Preset(
        "sac",
        ENSEMBLES | {"critics": 2, "subset": 2, "dropout": 0.01, "layer_norm": True},
        ENSEMBLES_OPTIONS,
        "DroQ (Hiraoka et al. 2022): two critics with dropout and normalised layers, 20 updates a step",
        ENSEMBLES_DIFFERS + "; its layers are normalised with gains of their own",
    ),
}
