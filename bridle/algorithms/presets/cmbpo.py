"""What the repository of CMBPO trains with, as published and with what its configs contradict put right."""

from __future__ import annotations

from bridle.algorithms.presets.preset import Preset

VALUES = {"hidden": (128, 128), "activation": "silu", "members": 3, "rate": 3e-4, "passes": 8, "batch": 2048}
POLICY = {
    "constrain_cost": "yes",
    "cost_mode": "rate",
    "aim": 1.0,
    "recovery": 1.0,
    "margin_rate": 1e-4,
    "margin_decay": 0.9999,
    "margin_most": 100.0,
    "discount": 0.99,
    "cost_discount": 0.97,
    "trace": 0.95,
    "cost_trace": 0.5,
    "cost_after_death": "unmasked",
    "hidden": (128, 128),
    "initial_std": 0.6065,
    "normalise_obs": False,
    "values": VALUES,
    "target_kl": 0.01,
    "least_pace": 1.0,
    "least_std": 0.0,
    "damping": 0.1,
    "iterations": 10,
    "fisher_every": 1,
    "tries": 10,
    "shrink": 0.8,
}
MODEL = {
    "members": 7,
    "elites": 5,
    "hidden": (512, 512),
    "loss": "mspe",
    "scale_in": True,
    "scale_out": True,
    "rate": 1e-3,
    "decay": (2.5e-7, 5e-7, 1e-6),
    "batch": 2048,
    "patience": 5,
    "max_epochs": 10,
    "max_updates": 0,
}
CMBPO = {
    "use_model": True,
    "policy": POLICY,
    "model": MODEL,
    "explore": 10_000,
    "first_updates": 3_000,
    "fit_every": 4_000,
    "real": 15_000,
    "min_real": 500,
    "max_real": 50_000,
    "batch": 50_000,
    "paths": 1_000,
    "rollouts": "uncertainty",
    "longest": 34,
    "schedule": (10, 500, 5, 30),
    "doubt": "kl",
    "probe": 5,
    "budget": 5.0,
    "sampled": False,
    "resampling": 2.0,
    "memory": 300_000,
}
OPTIONS = {"env": "HalfCheetahSafe-v2", "cost_limit": (10.0,), "num_envs": 1, "steps": 10_000_000}
SAME = "a path begins where one has ended, not all together in rounds; policies move by our line search; the first fit is capped by gradient steps"


def _with(constrain: str, **own) -> dict:
    return CMBPO | {"policy": POLICY | {"constrain_cost": constrain}} | own


PRESETS: dict[str, Preset] = {
    "cmbpo-hcs-as-published": Preset(
        "cmbpo", _with("line_search"), OPTIONS, "CMBPO's config cmbpo_hcs, which does not constrain its direction", SAME
    ),
    "cmbpo-hcs": Preset(
        "cmbpo", _with("yes"), OPTIONS, "CMBPO's config cmbpo_hcs with its constraint on", f"constrained; {SAME}"
    ),
    "cmbpo-hcs-inverse-variance": Preset(
        "cmbpo",
        _with("yes", rollouts="inverse_variance", explore=20_000, min_real=1_000, fit_every=2_048, most_variance=15.0),
        OPTIONS | {"steps": 5_000_000},
        "the mode inverse_variance of the repository before CMBPO's, ConstrainedMBPO",
        f"members act by the same draws of the policy; {SAME}",
    ),
    "cmbpo-antsafe": Preset(
        "cmbpo",
        _with("yes", real=20_000),
        OPTIONS | {"env": "AntSafe-v2", "env_args": ("rules=published",)},
        "CMBPO's config cmbpo_antsafe",
        SAME,
    ),
    "cmbpo-hs-as-published": Preset(
        "cmbpo",
        _with("line_search"),
        OPTIONS | {"env": "HumanoidSafe-v2", "env_args": ("rules=published",)},
        "CMBPO's config cmbpo_hs: unconstrained, in a model that never ends and costs nothing",
        SAME,
    ),
    "cmbpo-hs": Preset(
        "cmbpo",
        _with("yes"),
        OPTIONS | {"env": "HumanoidSafe-v2"},
        "CMBPO's config cmbpo_hs, constrained, with termination by rule and cost learned",
        f"constrained; rules of its own; {SAME}",
    ),
    "cmbpo-cpo-hcs": Preset(
        "cpo",
        POLICY | {"rollout": 35_000},
        OPTIONS,
        "CMBPO's config cpo_hcs: CPO without a model",
        "policies move by our line search",
    ),
    "cmbpo-trpo-hcs": Preset(
        "cpo",
        POLICY | {"rollout": 25_000, "constrain_cost": "line_search"},
        OPTIONS,
        "CMBPO's config trpo_hcs: TRPO whose line search still refuses steps that cost too much",
        "policies move by our line search",
    ),
}
