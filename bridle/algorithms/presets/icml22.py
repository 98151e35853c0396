"""What Liu et al. (2022) trained CVPO with, from the settings of their code."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

ICML22 = {
    "discount": 0.99,
    "hidden": (256, 256),
    "head": "full",
    "initial_std": 0.693,
    "critics": 2,
    "cost_critics": 1,
    "cost_after_death": "unmasked",
    "batch": 300,
    "radius": 0.1,
    "multiplier_cap": 1e5,
    "limit_unit": "horizon",
    "mean_radius": 0.001,
    "covariance_radius": 0.001,
    "alpha_rule": "ascent",
    "alpha_rates": (1.0, 100.0),
    "alpha_caps": (0.1, 10.0),
    "fit_scale": "1/samples",
    "old_policy": "ema",
    "old_rate": 0.005,
    "acts": "new",
    "target_rate": 0.005,
    "e_step_critics": "target",
    "max_grad_norm": 0.01,
}
ICML22_DIFFERS = (
    "the original's E-step is SLSQP with finite differences, at most 10 iterations and tolerance 1e-3; its weights are "
    "Xavier-normal, and its last layers as large as the others; the mean of its policy is a sigmoid of at most 0.987 of the "
    "range, ours tanh; its actions are not clipped before they are stored, nor those that its E-step weighs; the targets of "
    "its two critics draw a next action each, and their losses have an Adam each; after warm-up it makes warmup / 2 updates "
    "at once"
)

ICML22_GYM = ICML22 | {
    "critic_rate": 0.001,
    "actor_rate": 0.002,
    "samples": 32,
    "fit_steps": 6,
    "memory": 80_000,
    "warmup": 4_000,
    "every": 8_000,
    "times": 1_066,
}
"""On Safety Gym; its episodes are cut at 400 steps."""
ICML22_GYM_OPTIONS = {
    "env_args": ("dialect=cvpo",),
    "cost_limit": (10.0,),
    "num_envs": 20,
    "steps": 2_400_000,
    "eval_every": 8_000,
    "eval_episodes": 20,
}

PRESETS: dict[str, Preset] = {
    "icml22-circle": Preset(
        "cvpo",
        ICML22
        | {
            "critic_rate": 0.0015,
            "actor_rate": 0.0064,
            "samples": 64,
            "fit_steps": 29,
            "memory": 8_000,
            "warmup": 2_000,
            "every": 6_000,
            "times": 560,
        },
        {
            "env": "SafetyCarCircle-v0",
            "env_args": ("dialect=cvpo",),
            "cost_limit": (20.0,),
            "num_envs": 20,
            "steps": 1_800_000,
            "eval_every": 6_000,
            "eval_episodes": 20,
        },
        "CVPO as tuned for Circle by Liu et al. 2022: an epoch is 20 episodes of 300 steps, then 560 updates",
        ICML22_DIFFERS,
    ),
    "icml22-button": Preset(
        "cvpo",
        ICML22_GYM,
        {"env": "SafetyPointButton1-v0", **ICML22_GYM_OPTIONS},
        "CVPO as trained on Safety-Gym's Button by Liu et al. 2022; also of SafetyCarButton1-v0, and what their README trains CarCircle with",
        ICML22_DIFFERS,
    ),
    "icml22-goal": Preset(
        "cvpo",
        ICML22_GYM,
        {"env": "SafetyPointButton2-v0", **ICML22_GYM_OPTIONS},
        "CVPO as trained on what Liu et al. 2022 call Goal, which is their Button2; also of SafetyCarButton2-v0",
        ICML22_DIFFERS,
    ),
}
