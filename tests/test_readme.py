"""What the README promises can be typed: its Python runs, its commands and links are understood."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from bridle import cli, envs
from bridle.algorithms import presets
from bridle.cli.settings import algorithm_of, check_flags, known_flags

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md"]
PAGES += [DOCS / f"{name}.md" for name in ("index", "coming-from-cvpo-safe-rl", "comparing", "seeds", "studies")]
README = PAGES[0].read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def typed() -> list[str]:
    """Every command line of the pages, in a block or between backticks, that is meant to be typed as it stands."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
        lines += re.findall(r"`((?:bridle|make) [^`]+)`", text)
        found += [line.split("  #")[0].strip() for line in lines]
    return sorted({line for line in found if re.match(r"(bridle|make) ", line) and "..." not in line})


@pytest.mark.parametrize("command", typed())
def test_every_command_is_understood(command):
    program, name, *words = shlex.split(command)
    if program == "make":
        assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    if "--help" in (name, *words):
        assert name in ("--help", "train", *cli.COMMANDS)
        return
    if name == "train":
        name, words = algorithm_of(words)
        check_flags(words, known_flags(name))
        for word in set(words) & {"--preset", "--env"}:
            found = words[words.index(word) + 1]
            presets.PRESETS[found] if word == "--preset" else envs.check(found)
    else:
        cli.parser_of(name).read(words)


@pytest.mark.parametrize("block", blocks(README, "python"))
def test_every_block_of_python_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short, count = re.subn(r"steps=[\d_]+", "steps=1_000, eval_episodes=2, num_envs=4", block)
    assert count == 1, "a block that trains must say steps=..., so that it can be shortened here"
    script = tmp_path / "block.py"
    script.write_text(short.replace("episodes=20", "episodes=2"))
    runpy.run_path(str(script))
    assert list(tmp_path.glob("runs/SafetyCarCircle-v0/cvpo/seed-0-*/metrics.csv"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


def expanded(pattern):
    """As a shell does: every name that the braces stand for."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    inside, _, after = rest.partition("}")
    return [before + one + end for one in inside.split(",") for end in expanded(after)]


def test_the_tasks_of_the_readme_and_their_horizons_are_those_there_are():
    from bridle import envs

    rows = re.findall(r"^\| `(Safety\w+-v0)` .*\| (\d+), (\d+), (\d+) \|$", README, re.MULTILINE)
    others = re.findall(r"^\| `(Safety\w+-v1)` .*faster than ([\d.]+) m/s.*\| (\d+) \|$", README, re.MULTILINE)
    told = {name for name, *_ in rows + others}
    for family, horizon in re.findall(r"^\| ((?:`Safety\S*\{.*?`,? ?)+).*\| (\d+) \|$", README, re.MULTILINE):
        for name in [one for pattern in re.findall(r"`(.*?)`", family) for one in expanded(pattern)]:
            assert envs.tasks()[name].endswith(f"{horizon} steps")
            told.add(name)
    assert told == {name for name in envs.tasks() if name.startswith("Safety")}
    for name, threshold, horizon in others:
        assert f"faster than {threshold} m/s" in envs.tasks()[name] and envs.tasks()[name].endswith(f"{horizon} steps")
    for name, *horizons in rows:
        for dialect, horizon in zip(("fsrl", "cvpo", "upstream"), horizons, strict=True):
            world = envs.make(name, 1, dialect=dialect)
            assert world.spec.horizon == int(horizon), (name, dialect)
            world.close()
