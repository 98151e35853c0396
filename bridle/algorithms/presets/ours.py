"""Settings of ours that are not the default."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

NAVIGATION = {
    "env": "SafetyPointGoal1-v0",
    "env_args": ("action_repeat=4",),
    "cost_limit": (25.0,),
    "steps": 500_000,
}
"""An action every fourth step: 500,000 of them are 2 million steps of the task."""

ON_POLICY = NAVIGATION | {
    "cost_limit_start": (100.0,),
    "cost_limit_schedule": "linear",
    "cost_limit_steps": 400_000,
    "num_envs": 32,
    "steps": 2_500_000,
    "eval_every": 100_000,
    "log_every": 16_000,
    "checkpoint_every": 500_000,
}
"""The skill first, at a limit that hardly binds; then the limit comes down (decision 0021)."""
SHORT = {"rollout": 8_000, "discount": 0.97, "cost_discount": 0.97, "cost_trace": 0.9}
"""An action lasts four steps: a rollout is 32,000 of them."""

PRESETS: dict[str, Preset] = {
    "demo": Preset(
        "cvpo",
        {"aim": 0.3},
        {"env": "SafetyCarCircle-v0", "cost_limit": (10.0,), "steps": 500_000, "seed": 501},
        "our default, cut short and kept well under the limit: what `make demo` trains in a few minutes",
        "",
    ),
    "safety-gym-cvpo": Preset(
        "cvpo",
        {"layer_norm": True, "normalise_obs": True, "times": 64, "reach": 0.8, "aim": 0.8, "discount": 0.95},
        NAVIGATION,
        "CVPO on navigation tasks, 2 million of their steps",
        "",
        "safety_gym",
    ),
    "safety-gym-sac-lag": Preset(
        "sac-lag",
        {
            "constraint": "lagrange",
            "layer_norm": True,
            "normalise_obs": True,
            "times": 96,
            "cost_critics": 2,
            "aim": 0.7,
            "lagrange": {"rate": 3e-4, "decay": 0.0},
        },
        NAVIGATION | {"cost_limit_start": (100.0,), "cost_limit_schedule": "linear", "cost_limit_steps": 100_000},
        "SAC with a Lagrange multiplier on navigation tasks, 2 million of their steps",
        "",
        "safety_gym",
    ),
    "safety-gym-cpo": Preset(
        "cpo",
        SHORT,
        ON_POLICY,
        "CPO on navigation tasks, 10 million of their steps",
        "",
        "safety_gym",
    ),
    "safety-gym-trpo-lag": Preset(
        "trpo-lag",
        {"constraint": "lagrange", "lagrange": {"rate": 0.03, "decay": 0.0}, **SHORT},
        ON_POLICY,
        "TRPO with a Lagrange multiplier on navigation tasks, 10 million of their steps",
        "",
        "safety_gym",
    ),
    "cmbpo-halfcheetah": Preset(
        "cmbpo",
        {},
        {
            "env": "HalfCheetahSafe-v2",
            "cost_limit": (10.0,),
            "num_envs": 8,
            "steps": 400_000,
            "eval_every": 5_000,
        },
        "CMBPO on HalfCheetahSafe under its published limit, 400,000 real steps",
        "",
    ),
}
