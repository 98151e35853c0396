"""Settings by name: what a paper or another library trained with, in our words; a plain table.

They lie here and not in `study/`, since `api` speaks of them too. A description says what of the original a preset cannot
bring back. In all of them the E-step solves its dual exactly, where the originals stop early.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """What a user would otherwise type."""

    algorithm: str
    config: dict[str, Any]
    """Fields of the algorithm's config."""
    options: dict[str, Any]
    """Fields of `run.options.Options`."""
    about: str
    """One line."""
    differs: str
    """What is not as it was published; empty where nothing was."""


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

FSRL_CVPO = {
    "hidden": (128, 128),
    "head": "diagonal",
    "initial_std": 1.0,
    "critics": 1,
    "cost_critics": 1,
    "n_step": 2,
    "batch": 256,
    "every": 3_000,
    "times": 600,
    "memory": 200_000,
    "warmup": 0,
    "samples": 16,
    "radius": 0.02,
    "multiplier_cap": 20.0,
    "limit_unit": "horizon",
    "fit_steps": 1,
    "mean_radius": 0.005,
    "covariance_radius": 0.0005,
    "alpha_rule": "ascent",
    "alpha_rates": (20.0, 200.0),
    "alpha_caps": (0.5, 0.5),
    "fit_scale": "1/samples",
    "old_policy": "copy",
    "acts": "new",
    "target_rate": 0.05,
    "e_step_critics": "online",
    "actor_rate": 5e-4,
    "critic_rate": 1e-3,
}
"""FSRL's CVPO, but for the discount."""
FSRL_CVPO_DIFFERS = (
    "FSRL's E-step takes one Adam step on its dual and, by an in-place subtraction, counts the multiplier twice; its "
    "alphas start at 0 with a fresh Adam (0.1) at each collect, where ours rise by a plain ascent of about that step; its "
    "weights are orthogonal"
)

CVPO_SAFE_RL = {
    "constraint": "pid",
    "signal": "critic",
    "pid": {"kp": 0.1, "ki": 0.003, "kd": 0.001, "smoothing": 0.0, "slowness": 0.0, "relative": False, "cap": 1e5},
    "aim": 1.0,
    "rescale": False,
    "limit_unit": "horizon",
    "discount": 0.99,
    "hidden": (256, 256),
    "cost_critics": 1,
    "cost_after_death": "unmasked",
    "n_step": 1,
    "batch": 300,
    "every": 6_000,
    "times": 560,
    "memory": 8_000,
    "warmup": 2_000,
    "target_rate": 0.005,
    "actor_rate": 0.0064,
    "critic_rate": 0.0015,
}
CVPO_SAFE_RL_DIFFERS = (
    "the multiplier enters from the first update on, and its integral is bounded (at 1e5); actions are clipped before they are "
    "stored; our networks' last layers begin small; after warm-up the original makes warmup / 2 updates at once"
)
CVPO_SAFE_RL_OPTIONS = {
    "env": "SafetyCarCircle-v0",
    "env_args": ("dialect=cvpo",),
    "cost_limit": (20.0,),
    "num_envs": 20,
    "steps": 1_800_000,
    "eval_every": 6_000,
    "eval_episodes": 20,
}
FSRL = {
    "constraint": "pid",
    "signal": "episodes",
    "pid": {"kp": 0.05, "ki": 0.0005, "kd": 0.1, "smoothing": 0.0, "slowness": 0.0, "relative": False, "cap": 1e5},
    "aim": 1.0,
    "rescale": True,
    "discount": 0.97,
    "hidden": (128, 128),
    "n_step": 2,
    "batch": 256,
    "every": 600,
    "times": 120,
    "memory": 100_000,
    "warmup": 0,
    "target_rate": 0.05,
    "actor_rate": 5e-4,
    "critic_rate": 1e-3,
}
FSRL_OPTIONS = {
    "env": "SafetyCarCircle-v0",
    "env_args": ("dialect=fsrl",),
    "cost_limit": (10.0,),
    "num_envs": 2,
    "steps": 1_500_000,
}
FSRL_DIFFERS = (
    "2 episodes come from 2 copies that go on, not from the first two of 10 to end; the number of steps between updates is that of CarCircle; "
    "weights are not orthogonal"
)

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
    "cvpo-safe-rl-sac-lag": Preset(
        "sac-pid",
        CVPO_SAFE_RL | {"temperature": "fixed", "alpha": 0.0085, "critics": 2, "entropy_in_cost": True},
        CVPO_SAFE_RL_OPTIONS,
        "SAC-Lagrangian (a PID controller on the cost critic) as trained on Circle beside CVPO by Liu et al. 2022",
        CVPO_SAFE_RL_DIFFERS,
    ),
    "cvpo-safe-rl-td3-lag": Preset(
        "td3-pid",
        CVPO_SAFE_RL
        | {
            "acts": "actor",
            "squash": "tanh",
            "critics": 2,
            "noise": 0.1,
            "correlation": 0.0,
            "noiseless": 0.0,
            "target_noise": 0.2,
            "target_noise_bound": 0.5,
            "actor_every": 2,
        },
        CVPO_SAFE_RL_OPTIONS,
        "TD3-Lagrangian (a PID controller on the cost critic) as trained on Circle beside CVPO by Liu et al. 2022",
        CVPO_SAFE_RL_DIFFERS,
    ),
    "cvpo-safe-rl-ddpg-lag": Preset(
        "ddpg-pid",
        CVPO_SAFE_RL
        | {"acts": "actor", "squash": "tanh", "critics": 1, "noise": 0.1, "correlation": 0.0, "noiseless": 0.0},
        CVPO_SAFE_RL_OPTIONS,
        "DDPG-Lagrangian (a PID controller on the cost critic) as trained on Circle beside CVPO by Liu et al. 2022",
        CVPO_SAFE_RL_DIFFERS,
    ),
    "fsrl-sac-lag": Preset(
        "sac-pid",
        FSRL | {"temperature": "learned", "alpha": 0.005, "alpha_rate": 3e-4, "critics": 2, "cost_critics": 2},
        FSRL_OPTIONS,
        "SAC-Lagrangian as FSRL trains Bullet tasks: a PID controller on the cost of the episodes of each collect",
        FSRL_DIFFERS + "; of its two cost critics it takes the least, we the greatest",
    ),
    "fsrl-ddpg-lag": Preset(
        "ddpg-pid",
        FSRL
        | {
            "acts": "actor",
            "squash": "tanh",
            "critics": 1,
            "cost_critics": 1,
            "noise": 0.1,
            "correlation": 0.0,
            "noiseless": 0.0,
        },
        FSRL_OPTIONS,
        "DDPG-Lagrangian as FSRL trains Bullet tasks: a PID controller on the cost of the episodes of each collect",
        FSRL_DIFFERS,
    ),
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
    "fsrl-bullet": Preset(
        "cvpo",
        FSRL_CVPO | {"discount": 0.97},
        {
            "env": "SafetyCarCircle-v0",
            "env_args": ("dialect=fsrl",),
            "cost_limit": (10.0,),
            "num_envs": 10,
            "steps": 1_500_000,
        },
        "CVPO as FSRL trains Bullet tasks: 10 episodes from 10 copies (of 300 steps), then an update for every 5 steps",
        f"{FSRL_CVPO_DIFFERS}; the number of steps between updates is that of CarCircle",
    ),
    "fsrl-safetygym": Preset(
        "cvpo",
        FSRL_CVPO | {"discount": 0.98, "every": 10_000, "times": 2_000},
        {"env": "SafetyPointGoal1-v0", "cost_limit": (25.0,), "num_envs": 10, "steps": 5_000_000},
        "CVPO as FSRL trains Safety-Gymnasium's navigation: 10 episodes from 10 copies (of 1000 steps), then an update for every 5 steps",
        f"{FSRL_CVPO_DIFFERS}; its discount there is 0.98 or 0.995, which is not certain",
    ),
    "demo": Preset(
        "cvpo",
        {"aim": 0.3},
        {"env": "SafetyCarCircle-v0", "cost_limit": (10.0,), "steps": 500_000, "seed": 501},
        "our default, cut short and kept well under the limit: what `make demo` trains in a few minutes",
        "",
    ),
}
