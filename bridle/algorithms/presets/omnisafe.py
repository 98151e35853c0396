"""What OmniSafe trains with."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

PRESETS: dict[str, Preset] = {
    "omnisafe-sac-lag": Preset(
        "sac-lag",
        {
            "constraint": "lagrange",
            "signal": "episodes",
            "lagrange": {
                "rule": "projected",
                "rate": 0.0035,
                "decay": 0.0,
                "initial": 0.001,
                "relative": False,
                "cap": 1e5,
            },
            "aim": 1.0,
            "rescale": True,
            "discount": 0.99,
            "hidden": (400, 300),
            "critics": 2,
            "cost_critics": 1,
            "n_step": 1,
            "batch": 256,
            "every": 50,
            "times": 50,
            "memory": 50_000,
            "warmup": 10_000,
            "temperature": "fixed",
            "alpha": 0.2,
            "normalise_obs": True,
            "target_rate": 0.001,
            "actor_rate": 3e-4,
            "critic_rate": 1e-3,
        },
        {"env": "SafetyCarCircle-v0", "cost_limit": (25.0,), "num_envs": 1, "steps": 3_000_000},
        "SAC-Lagrangian by an early settings file of OmniSafe (commit 001a4e2); later versions changed it",
        "its multiplier is stepped by Adam, ours by plain ascent at the same rate; its alpha decays",
    ),
}
