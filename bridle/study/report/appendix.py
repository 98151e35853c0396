"""The last sections of a report: settings side by side, videos, the runs one by one."""

from __future__ import annotations

import shlex
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bridle.study.care import share
from bridle.study.curves import home
from bridle.study.report.layout import Methods
from bridle.study.report.markup import listed, words_of
from bridle.study.report.settings import versions_of
from bridle.study.series import Curve

if TYPE_CHECKING:
    from bridle.study.report import Report


def world_of(methods: Methods) -> list[str]:
    """What runs tell of their environment, where they agree, beside its name and dialect."""
    specs = [curve.config["spec"] for group in methods.values() for curve in group if curve.config]
    notes = [{f"{name} {text}": None for name, text in spec["notes"] if name != "dialect"} for spec in specs]
    horizons = {spec["horizon"] for spec in specs}
    told = [f"{horizons.pop()} env steps an episode"] if len(horizons) == 1 and None not in horizons else []
    return [*told, *(note for note in (notes[0] if notes else ()) if all(note in other for other in notes))]


def settings_of(report: Report) -> str:
    """What differs on top, what is shared folded away."""
    methods, differing, some, shared = report.settings
    if not methods:
        return ""
    parts = [words_of(["", *methods], differing, marked=True)]
    if some:
        told = words_of(["", *methods], some)
        parts.append(f"<details><summary>{len(some)} settings that only some methods have</summary>{told}</details>")
    told = words_of(["", "all runs"], [(name, cells[:1]) for name, cells in shared])
    parts.append(f"<details><summary>{len(shared)} settings that all runs share</summary>{told}</details>")
    return f'<section id="settings"><h2>Settings</h2>{"".join(parts)}</section>'


def videos_of(report: Report) -> str:
    """The videos, and which are left out."""
    if not report.videos and not report.left:
        return ""
    films = []
    for curve, path, kind, data in report.videos:
        source = f"data:{kind};base64,{data}"
        film = (
            f'<img alt="" src="{source}">'
            if kind == "image/gif"
            else f'<video controls loop muted playsinline src="{source}"></video>'
        )
        about = f"{_whose(curve)}: {path.name}"
        films.append(f"<figure>{film}<figcaption>{escape(about)}</figcaption></figure>")
    left = f'<p class="soft">Left out:</p>{listed(report.left)}' if report.left else ""
    return f'<section id="videos"><h2>Videos</h2><div class="films">{"".join(films)}</div>{left}</section>'


def runs_of(report: Report) -> str:
    """Where each run lies, how far it came, and the command that trained it."""
    folder = home(report.curves).resolve()
    head = ["run", "method", "environment", "seed", "env steps", "minutes", "device"]
    rows = [(_where(curve, folder), _facts(curve)) for curve in report.curves]
    commands = [
        shlex.join(["bridle", *map(str, c.config["command"][1:])]) for c in report.curves if "command" in c.config
    ]
    asked, many = escape("\n".join(commands)), f"{len(rows)} run{'s' * (len(rows) > 1)}"
    return (
        f'<section id="runs"><h2>Runs</h2><details><summary>{many} in {escape(str(folder))}</summary>'
        f"{words_of(head, rows)}</details>"
        + (f"<details><summary>Their commands</summary><pre>{asked}</pre></details>" if commands else "")
        + "</section><footer>Final: mean over the last tenth of a run's evaluations, of the last policies and not of the best "
        "ones. Figures can be zoomed, and saved as SVG with the camera above them.</footer>"
    )


def _where(curve: Curve, folder: Path) -> str:
    """Its path inside the folder that holds all of them."""
    path = curve.path.resolve()
    return path.name if path == folder else str(path.relative_to(folder))


def _facts(curve: Curve) -> list[str]:
    minutes = "".join(f"{x:.1f}" for x in curve.minutes[-1:] if np.isfinite(x))
    device = str(versions_of(curve).get("device", "")).partition(":")[0]
    seed = "" if curve.seed is None else str(curve.seed)
    return [curve.label, curve.env, seed, _state(curve), minutes, device]


def _state(curve: Curve) -> str:
    if not len(curve.step):
        return "no evaluations yet"
    asked = "" if share(curve) >= 0.99 or not curve.total else f" of {curve.total:,}"
    return f"{curve.step[-1]:,.0f}{asked}"


def _whose(curve: Curve) -> str:
    return f"{curve.label} on {curve.env.split(', ')[0]}" + (f", seed {curve.seed}" if curve.seed is not None else "")
