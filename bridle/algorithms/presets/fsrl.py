"""What FSRL trains with."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

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

PRESETS: dict[str, Preset] = {
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
}
