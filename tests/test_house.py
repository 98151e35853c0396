"""The house keeps its own rules: who may import whom, names, nameplates, sizes."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "bridle").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
LONGEST = 380
"""Lines of a file."""


def lint(config, cwd=ROOT, **env):
    """(exit code, words) of import-linter."""
    script = Path(sys.executable).with_name("lint-imports")
    command = [script, "--no-cache", "--no-logo", "--config", str(config)]
    done = subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_import_contracts_hold():
    code, words = lint(ROOT / "pyproject.toml")
    assert code == 0, words
    assert "Contracts: 0 kept" not in words


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("maths/returns.py", "from bridle.parts import critics", "Five floors"),
        ("parts/critics.py", "import bridle.run.train", "The wall"),
        ("envs/toy.py", "from bridle.nets import mlp", "The wall"),
        ("parts/critics.py", "from bridle.parts import policies", "No part imports another"),
        ("run/collect.py", "import mujoco", "Simulators stay in envs"),
        ("run/train.py", "import tensorboardX", "Loggers stay in run/log"),
        ("api/session.py", "import matplotlib.pyplot", "Plots, tables and sweeps stay in study"),
    ],
)
def test_an_import_that_runs_up_is_seen(tmp_path, file, line, contract):
    """The contracts bite: a copy of the package with one wrong line breaks the one it should."""
    for path, name in zip(FILES, NAMES, strict=True):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text() + (f"\n{line}\n" if name == f"bridle/{file}" else ""))
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    code, words = lint(tmp_path / "pyproject.toml", tmp_path, PYTHONPATH=str(tmp_path))
    assert code == 1
    assert re.search(rf"{contract}[^\n]*(\n[^\n]*)? BROKEN", words), words


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_module_has_a_nameplate(path):
    first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
    assert len(first) > 20 and first[-1] in ".`", "the first sentence says what lives here"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_no_file_is_too_long_to_know(path):
    assert len(path.read_text().splitlines()) <= LONGEST


def test_no_name_says_nothing():
    empty = re.compile(r"^_?(utils?|helpers?|common|misc|base(_.*)?)$")
    said = [name for name in NAMES if any(empty.match(part) for part in Path(name).with_suffix("").parts)]
    assert said == []


def test_nothing_is_pickled():
    guilty = re.compile(
        r"^\s*(import|from) (pickle|dill|cloudpickle|joblib|shelve|marshal)\b|allow_pickle=True", re.MULTILINE
    )
    assert [name for path, name in zip(FILES, NAMES, strict=True) if guilty.search(path.read_text())] == []


def test_no_code_is_commented_out_and_no_promise_left():
    left = re.compile(
        r"#\s*(TODO|FIXME|XXX)\b|^\s*#\s*(\w+ = |return |import |from \w+ import |if .*:$|for .*:$|def )", re.MULTILINE
    )
    assert [name for path, name in zip(FILES, NAMES, strict=True) if left.search(path.read_text())] == []


@pytest.mark.parametrize("code", ["import bridle", "import bridle.algorithms, bridle.envs, bridle.run.options"])
def test_the_names_load_no_jax(code):
    heavy = "('jax', 'equinox', 'optax', 'mujoco', 'gymnasium', 'matplotlib', 'scipy')"
    code += f"\nimport sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_no_jax():
    code = (
        "import sys, runpy\nsys.argv = ['bridle', '--help']\n"
        "try: runpy.run_module('bridle', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print('loaded', [name for name in ('jax', 'equinox', 'optax', 'mujoco') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("loaded []"), done.stdout


def test_the_decision_records_are_numbered_one_by_one():
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        text = (ROOT / "docs" / "decisions" / name).read_text()
        assert all(f"**{part}" in text for part in ("Context", "Choice", "What it costs")) and "evisit" in text, name
