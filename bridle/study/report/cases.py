"""Which case the steps of a trust region met: how far the cost limits leave a policy free, along a training."""

from __future__ import annotations

from bridle.study.looks import Look
from bridle.study.report.layout import BELOW, Figure, Methods, plain, scale, title
from bridle.study.seeds import averaged
from bridle.study.series import AXES, Curve

PANEL = 170
"""Pixels."""
SMOOTH = 0.05
"""Part of a run round each point whose mean is drawn."""

CASES = {
    "infeasible": "no step within the trust region meets the limits, so the step only lowers cost",
    "recovers": "the policy is above a limit, and a step within the region leads back under it",
    "bounded": "the policy is within the limits, and one of them cuts the region: the step stays on the near side",
    "inside": "no limit reaches into the region, so the step is the one without limits",
    "free": "cost does not change with the policy, as where nothing has cost so far, or the settings leave limits out of the step",
}
"""A name and what is meant, in the order of `policy/case_0` to `policy/case_4` (`bridle.parts.constraints.trust_region`)."""
COLOURS = ("#B2182B", "#EF8A62", "#F6D9A4", "#92C5DE", "#C9CFD6")
"""Of the cases; none is the colour of a method, and colour-blind readers can tell them apart."""


def cases(methods: Methods, looks: dict[str, Look]) -> dict[str, Figure]:
    """Shares of the cases stacked, mean over seeds, a figure for each method that tells them."""
    return {name: figure for name, group in methods.items() if (figure := _shares(group, looks[name]))}


def _shares(group: list[Curve], look: Look) -> Figure | None:
    found = [averaged(group, lambda curve, k=k: curve.logged(f"case_{k}"), SMOOTH) for k in range(len(CASES))]
    if not all(len(share.x) for share in found):
        return None
    traces = [
        {
            "type": "scatter", "mode": "lines", "x": share.x, "y": share.mean, "stackgroup": "cases", "line": {"width": 0},
            "fillcolor": colour, "name": case, "meta": {"method": look.number}, "hovertemplate": "%{y:.0%}",
        }
        for case, colour, share in zip(CASES, COLOURS, found, strict=True)
    ]  # fmt: skip
    layout = plain(PANEL + BELOW, left=64) | {"hovermode": "x unified"}
    layout["xaxis"] = scale(title=title(AXES["step"]), tickformat="~s", range=[0, float(found[0].x[-1])])
    layout["yaxis"] = scale(title=title("share"), range=[0, 1], tickformat=".0%", tickvals=[0, 0.5, 1])
    return Figure(traces, layout)
