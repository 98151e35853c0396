"""The page of a report: everything inside one HTML file, which may load nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import time
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

import bridle
from bridle.study.axes import band_of, evaluated, last_of, seeds_of, several
from bridle.study.report import appendix
from bridle.study.report.cases import CASES, COLOURS, cases
from bridle.study.report.layout import Figure, Methods
from bridle.study.report.learning import axes_of, learning, series_of
from bridle.study.report.markup import facts, keyed, listed, mark, table_of
from bridle.study.report.outcomes import box, plane
from bridle.study.report.trust import trust
from bridle.study.series import AXES, Curve

if TYPE_CHECKING:
    from bridle.study.report import Environment, Report

HIGHEST = 520
"""Pixels that a plane grows to beside many boxes."""


def plotly_js() -> str:
    """The source of plotly.js; an `ImportError` that names the extra if plotly is missing."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(f"bridle report draws with plotly ({error}): pip install 'bridle[report]'") from error
    return get_plotlyjs()


def page(report: Report, plotly: str) -> str:
    """The whole file. `plotly` lies in it once, compressed; a policy lets these two scripts run and no other."""
    script = _template("page.js")
    hashes = " ".join(f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'" for text in (script, plotly))
    sections = [_head(report), _care(report), _contents(report), _over(report)]
    sections += [_place(report, place, i) for i, place in enumerate(report.envs)]
    sections += [appendix.settings_of(report), appendix.videos_of(report), appendix.runs_of(report)]
    return Template(_template("page.html")).substitute(
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; media-src data:; "
        "base-uri 'none'; form-action 'none'",
        version=bridle.__version__,
        title=escape(f"{_title(report)} - bridle report"),
        style=_template("page.css"),
        body="\n".join(section for section in sections if section),
        plotly=_base64(gzip.compress(plotly.encode(), 6, mtime=0)),
        script=script,
    )


def _template(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The head -------------------------------------------------------------------------------------------------------------


def _title(report: Report) -> str:
    methods, envs = _methods(report), [_short(place.env) for place in report.envs]
    who = methods[0] if len(methods) == 1 else f"{len(methods)} methods"
    return f"{who} on {envs[0] if len(envs) == 1 else f'{len(envs)} environments'}"


def _methods(report: Report) -> list[str]:
    return list(dict.fromkeys(curve.method for curve in report.curves))


def _short(env: str) -> str:
    return (env or "an environment that is not told").split(", ")[0]


def _head(report: Report) -> str:
    limits = {_limit(curve): None for curve in report.curves}
    made = dict.fromkeys(str(curve.config["bridle"]) for curve in report.curves if "bridle" in curve.config)
    groups = [group for place in report.envs for group in place.methods.values()]
    seeds = [len({curve.path if curve.seed is None else curve.seed for curve in group}) for group in groups]
    told = {
        "Runs": str(len(report.curves)),
        "Methods": str(len(_methods(report))),
        "Seeds of a method": several(seeds),
        "Cost limit of an episode": "; ".join(limits),
        "Trained with bridle": ", ".join(made) or "not told",
        "Page made": time.strftime("%Y-%m-%d %H:%M"),
        "Environments": "; ".join(place.env or "not told" for place in report.envs),
    }
    return f'<header><p class="kicker">bridle report</p><h1>{escape(_title(report))}</h1>{facts(told)}</header>'


def _limit(curve: Curve) -> str:
    if not curve.constraints:
        return "none"
    if curve.constraints == ("cost",):
        return f"{curve.limit[0]:g}"
    return ", ".join(f"{name} {x:g}" for name, x in zip(curve.constraints, curve.limit, strict=False))


def _care(report: Report) -> str:
    if not report.care:
        return ""
    return f'<section class="care"><h2>Take care</h2>{listed(report.care)}</section>'


def _contents(report: Report) -> str:
    links = {"#over": "Over environments"} if report.over else {}
    links |= {f"#env-{i}": _short(place.env) for i, place in enumerate(report.envs)}
    links |= {"#settings": "Settings"} if report.settings.methods else {}
    links |= {"#videos": "Videos"} if report.videos or report.left else {}
    links["#runs"] = "Runs"
    return "<nav>" + "".join(f'<a href="{to}">{escape(name)}</a>' for to, name in links.items()) + "</nav>"


def _over(report: Report) -> str:
    looks = {curve.method: report.looks[curve.label] for curve in reversed(report.curves)}  # the first label's of each
    tables = "".join(table_of(table, looks) for table in report.over)
    return f'<section id="over"><h2>Over environments</h2>{tables}</section>' if tables else ""


# An environment -------------------------------------------------------------------------------------------------------


def _place(report: Report, place: Environment, i: int) -> str:
    name, *rest = (place.env or "An environment that is not told").split(", ")
    said = " · ".join([*rest, *appendix.world_of(place.methods)])
    tables = "".join(table_of(table, marks) for table, marks in place.tables)
    return (
        f'<section class="env" id="env-{i}"><h2>{escape(name)}</h2><p class="soft">{escape(said)}</p>'
        f"{_bar(report, place.methods)}{_figures(report, place, i)}{tables}{_trust(report, place, i)}{_cases(report, place, i)}"
        "</section>"
    )


def _bar(report: Report, methods: Methods) -> str:
    """The legend, which switches methods on and off, and what else can be chosen."""
    chips = [
        f'<button type="button" data-method="{report.looks[name].number}" aria-pressed="true">'
        f"{mark(report.looks[name])}{escape(name)}</button>"
        for name in methods
    ]
    curves = [curve for group in methods.values() for curve in group]
    done = any(len(curve.step) for curve in curves)
    axes = [
        f'<button type="button" data-axis="{x}" aria-pressed="{str(i == 0).lower()}">{AXES[x]}</button>'
        for i, x in enumerate(axes_of(curves) if series_of(curves) else [])
    ]
    parts = []
    if any(sum(len(curve.step) > 0 for curve in group) > 1 for group in methods.values()):
        parts.append('<button type="button" data-part="seed" aria-pressed="true">seeds</button>')
    if done and any(curve.training for curve in curves):
        parts.append('<button type="button" data-part="training" aria-pressed="false">training episodes</button>')
    choices = [axes if len(axes) > 1 else [], parts]
    groups = [f'<span class="group">{"".join(buttons)}</span>' for buttons in choices if buttons]
    return (
        f'<div class="bar"><div class="legend">{"".join(chips)}</div><div class="choices">{"".join(groups)}</div></div>'
    )


def _figures(report: Report, place: Environment, i: int) -> str:
    curves = [curve for group in place.methods.values() for curve in group]
    if not series_of(curves):
        return '<p class="soft">Nothing has been logged yet.</p>'
    done, costs = place.done, bool(curves[0].constraints)
    parts = [_figure(learning(place.methods, report.looks), f"curves-{i}", _about_curves(place.methods, done, costs))]
    if costs and done:
        last = last_of(curve for group in done.values() for curve in group)
        boxes = box(done, report.looks)
        about = (
            f"Converged cost: {last} of each run. Box: middle half and median; whiskers: all; points: evaluations; "
            "diamond: mean, which is what the limit bounds."
        )
        both = _figure(boxes, f"box-{i}", about)
        about = f"Return over cost: means of {last}. Small: a run; great: mean of the method. Good is up, and left of the limit."
        both += _figure(plane(done, report.looks, min(boxes.height, HIGHEST)), f"plane-{i}", about)
        parts.append(f'<div class="pair{" single" if len(curves[0].constraints) > 1 else ""}">{both}</div>')
    return "".join(parts)


def _about_curves(methods: Methods, done: Methods, costs: bool) -> str:
    shown = done or methods
    told = [seeds_of(shown) + band_of(shown), evaluated([curve for group in done.values() for curve in group])]
    if costs and done:
        told.append("thick where the mean cost is within the limit, dotted or ringed where it is above")
    if any(curve.training for group in methods.values() for curve in group):
        told.append("thin dashes: episodes in training" + (", if switched on" if done else ""))
    return f"Learning curves: {'; '.join(filter(None, told))}."


def _trust(report: Report, place: Environment, i: int) -> str:
    """Of runs that learn a model."""
    told = [_figure(figure, f"{name}-{i}", about) for name, figure, about in trust(place.methods, report.looks)]
    return _paired("Does the model deserve trust?", told)


def _cases(report: Report, place: Environment, i: int) -> str:
    """Of runs whose policy takes steps in a trust region."""
    found = cases(place.methods, report.looks)
    told = [
        f"<div><b>{mark(report.looks[name])}{escape(name)}</b>{_figure(figure, f'cases-{i}-{k}')}</div>"
        for k, (name, figure) in enumerate(found.items())
    ]
    about = (
        "Share of the policy's updates by the case that their step in the trust region met: mean over the seeds of a method and "
        "over a twentieth of the run round each point."
    )
    key = keyed(about, dict(zip(CASES.items(), COLOURS, strict=True))) if told else ""
    return _paired("How free do the limits leave the policy?", told) + key


def _paired(heading: str, figures: list[str]) -> str:
    """Two beside each other; one has the whole width, and of none nothing is said."""
    if not figures:
        return ""
    return f'<h3>{heading}</h3><div class="pair{" single" if len(figures) == 1 else ""}">{"".join(figures)}</div>'


def _figure(figure: Figure, name: str, caption: str = "") -> str:
    import plotly.graph_objects as go

    told = go.Figure(figure.data, figure.layout).to_json()  # escapes <, > and /
    about = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="plot" data-name="{name}" style="height:{figure.height}px"></div>'
        f'<script type="application/json">{told}</script>{about}</figure>'
    )
