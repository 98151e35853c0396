"""The baselines beside CVPO in the code of Liu et al. (2022)."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

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
}
