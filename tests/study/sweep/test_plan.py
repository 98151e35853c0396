"""A study file becomes trials; what is wrong in it is told by name."""

import re
from pathlib import Path

import pytest

from bridle.study.sweep import chance, fit, plan
from bridle.study.sweep.nested import merged, put, to_toml

ROOT = Path(__file__).parents[3]
STUDY = """
algorithms = ["sac-lag", "cvpo"]
envs = ["toy/Corridor-v0", "SafetyCarRun-v0"]
seeds = [0, 1]
cost_limits = [3, 10]
[options]
steps = 2_000
[config]
hidden = [16]
[algorithm.sac-lag]
lagrange.rate = 0.1
steps = 3_000
[env."SafetyCarRun-v0"]
options = {steps = 4_000}
[grid]
discount = [0.97, 0.99]
[[skip]]
algorithm = "cvpo"
seed = 1
[[skip]]
discount = 0.97
cost_limit = [3, 5]
"""
RANDOM = """
algorithms = ["sac-lag"]
envs = ["toy/Corridor-v0"]
[random]
samples = 30
seed = 7
discount = {uniform = [0.9, 0.99]}
critic_rate = {log-uniform = [1e-5, 1e-2]}
batch = {choice = [32, 64]}
lagrange.rate = {uniform = [0.0, 1.0]}
num_envs = {integers = [1, 4]}
"""


@pytest.fixture
def trials_of(tmp_path):
    def read(text):
        (tmp_path / "study.toml").write_text(text)
        return plan.trials(plan.read(tmp_path / "study.toml"))

    return read


def test_a_study_is_every_combination_less_what_it_skips(trials_of):
    trials = trials_of(STUDY)
    assert len(trials) == (2 * 2 * 2 * 2 * 2) - 8 - 6  # cvpo's second seed; discount 0.97 at limit 3 of the others
    assert not [t for t in trials if t.algorithm == "cvpo" and t.settings["seed"] == 1]
    assert [t.settings["seed"] for t in trials] == sorted(t.settings["seed"] for t in trials)
    assert len({t.name for t in trials}) == len(trials)
    assert trials[0].name == "toy-Corridor-v0/sac-lag/limit-3_discount-0.99_seed-0"


def test_an_environments_settings_win_over_an_algorithms_and_those_over_shared_ones(trials_of):
    steps = {(t.algorithm, t.env): t.settings["steps"] for t in trials_of(STUDY)}
    assert steps == {
        ("sac-lag", "toy/Corridor-v0"): 3_000,
        ("cvpo", "toy/Corridor-v0"): 2_000,
        ("sac-lag", "SafetyCarRun-v0"): 4_000,
        ("cvpo", "SafetyCarRun-v0"): 4_000,
    }
    assert all(
        t.settings.get("lagrange") == ({"rate": 0.1} if t.algorithm == "sac-lag" else None) for t in trials_of(STUDY)
    )


def test_names_stay_when_the_study_grows(trials_of):
    grown = STUDY.replace("seeds = [0, 1]", "seeds = [0, 1, 2]").replace("0.97, 0.99]", "0.97, 0.99, 0.995]")
    before, after = trials_of(STUDY), {t.name: t for t in trials_of(grown)}
    assert all(after[t.name] == t for t in before) and len(after) > len(before)


def test_random_samples_follow_from_their_seed_and_stay_when_more_are_drawn(trials_of):
    trials, more = trials_of(RANDOM), trials_of(RANDOM.replace("30", "40"))
    assert trials == trials_of(RANDOM) == more[:30]
    assert trials_of(RANDOM.replace("seed = 7", "seed = 8"))[0].settings != trials[0].settings
    drawn = [t.settings for t in more]
    assert all(0.9 <= x["discount"] <= 0.99 and 1e-5 <= x["critic_rate"] <= 1e-2 for x in drawn)
    assert {x["batch"] for x in drawn} == {32, 64} and {x["num_envs"] for x in drawn} == {1, 2, 3, 4}
    assert sum(x["critic_rate"] < 10**-3.5 for x in drawn) in range(10, 31)
    assert len({x["lagrange"]["rate"] for x in drawn}) == 40
    assert trials[3].name.endswith("/sample-003_seed-0")


def test_presets_go_to_the_algorithms_that_they_are_of(trials_of):
    text = 'algorithms = ["cvpo", "sac-lag"]\nenvs = ["SafetyCarRun-v0"]\npresets = ["default", "fsrl-bullet"]\n'
    assert [(t.algorithm, t.preset) for t in trials_of(text)] == [
        ("cvpo", None),
        ("cvpo", "fsrl-bullet"),
        ("sac-lag", None),
    ]
    with pytest.raises(ValueError, match="none of the presets fsrl-bullet is one of sac-lag"):
        trials_of(text.replace('"default", ', ""))
    with pytest.raises(ValueError, match="no preset 'fsrl-bulet'; did you mean 'fsrl-bullet'"):
        trials_of(text.replace("fsrl-bullet", "fsrl-bulet"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seeds =", "sedes =", "no key 'sedes'; did you mean 'seeds'"),
        ('"cvpo"]', '"cvop"]', "no algorithm 'cvop'; did you mean 'cvpo'"),
        ("SafetyCarRun-v0", "SafetyCarRum-v0", "no environment 'SafetyCarRum-v0'; did you mean 'SafetyCarRun-v0'"),
        ("steps = 2_000", "stesp = 2_000", r"\[options\]: no key 'stesp'; did you mean 'steps'"),
        ("hidden = [16]", "hiden = [16]", r"\[config\]: no key 'hiden' of .*; did you mean 'hidden'"),
        ("hidden = [16]", "samples = 4", r"\[config\]: no key 'samples' of sac-lag; .* \[algorithm.sac-lag\]"),
        ("lagrange.rate", "lagrang.rate", r"\[algorithm.sac-lag\]: no key 'lagrang'; did you mean 'lagrange'"),
        ("[algorithm.sac-lag]", "[algorithm.sac-pid]", "algorithms has no 'sac-pid'; did you mean 'sac-lag'"),
        ('[env."SafetyCarRun-v0"]', '[env."SafetyBallRun-v0"]', "envs has no 'SafetyBallRun-v0'; did you mean"),
        ("discount = [0.97, 0.99]", "discuont = [0.97]", r"\[grid\]: no key 'discuont'.*; did you mean 'discount'"),
        ("discount = [0.97, 0.99]", "discount = 0.97", r"\[grid\]: discount = 0.97; allowed: a list"),
        ("discount = [0.97, 0.99]", "discount = [0.9, 0.9]", r"\[grid\]: discount has 0.9 twice"),
        ("discount = 0.97", "gamma = 0.97", "'gamma' is nothing that this study varies"),
        ("discount = 0.97", "discount = 0.98", "matches no trial"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "seeds has 0 twice"),
        ("seeds = [0, 1]", "seeds = []", r"seeds = \[\]; allowed: one or more"),
        ("seeds = [0, 1]", "seeds = [0.5]", r"seeds\[0\] = 0.5; allowed: an integer"),
        ("seeds = [0, 1]", "cpus = 0", "cpus = 0; allowed: an integer > 0"),
        ("steps = 2_000", "seed = 1", r"\[options\]: 'seed' is told by seeds = ..., at the beginning of the file"),
        ("steps = 2_000", "cost_limit = 3", "cost_limit is told twice"),
    ],
)
def test_a_mistake_is_told_by_name(trials_of, old, new, told):
    assert old in STUDY
    with pytest.raises(ValueError, match=told):
        trials_of(STUDY.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("samples = 30", "samples = 0", "samples = 0; allowed: an integer > 0"),
        ("uniform = [0.9, 0.99]", "unifrom = [0.9, 0.99]", "no distribution 'unifrom'; did you mean 'uniform'"),
        ("uniform = [0.9, 0.99]", "uniform = [0.99, 0.9]", r"allowed: \[low, high\], two numbers, low < high"),
        ("log-uniform = [1e-5", "log-uniform = [0.0", "allowed: numbers > 0"),
        ("integers = [1, 4]", "integers = [1, 4.5]", "two integers"),
        ("choice = [32, 64]", "choice = []", "allowed: a list"),
        ("discount =", "discuont =", "no key 'discuont'"),
        ("[random]", "[search]\nmetrc = 'x'\n[random]", "no key 'metrc'; did you mean 'metric'"),
        (
            "[random]",
            "[search]\nmetric = 'eval/retrun'\n[random]",
            "no column of metrics.csv; did you mean 'eval/return'",
        ),
        ("[random]", "[grid]\ndiscount = [0.9]\n[random]", r"discount is told twice: in \[grid\], and in \[random\]"),
    ],
)
def test_a_mistake_in_a_random_search_is_told_by_name(trials_of, old, new, told):
    with pytest.raises(ValueError, match=told):
        trials_of(RANDOM.replace(old, new, 1))


def test_a_study_of_which_nothing_is_left_says_so(trials_of):
    with pytest.raises(ValueError, match="nothing is left to train"):
        trials_of('algorithms = ["cvpo"]\nenvs = ["toy/Corridor-v0"]\n[[skip]]\nalgorithm = "cvpo"\n')


def test_what_does_not_fit_is_told_before_anything_starts(trials_of):
    trials = trials_of(
        'algorithms = ["cvpo", "sac-lag"]\nenvs = ["toy/Corridor-v0", "toy/Discrete-v0"]\nseeds = [0, 1]\n'
    )
    with pytest.raises(
        ValueError, match="2 of 8 trials, cvpo on toy/Discrete-v0: (?s:.*)2 of 8 trials, sac-lag on toy/Disc"
    ):
        fit.check(trials)
    trials = trials_of('algorithms = ["sac-lag"]\nenvs = ["toy/Corridor-v0"]\n[grid]\ndiscount = [0.9, 1.5]\n')
    with pytest.raises(ValueError, match=r"1 of 2 trials, sac-lag on toy/Corridor-v0: discount = 1.5; allowed"):
        fit.check(trials)
    found = fit.check(trials[:1])
    assert [one.config.discount for one in found.values()] == [0.9]


def test_tables_lie_over_each_other_and_come_back_from_toml():
    import tomllib

    under = {"pid": {"kp": 1.0, "ki": 2.0}, "options": {"steps": 1}}
    assert merged(under, {"pid": {"kp": 3.0}, "steps": 2}) == {"pid": {"kp": 3.0, "ki": 2.0}, "steps": 2}
    table = {"a": 'say "x" \\ é\n', "b": [1, 2.5, True], "pid": {"kp": 1e-05, "d": {"e": []}}, "f": float("inf")}
    assert tomllib.loads(to_toml(table)) == table
    shared = {"pid": {"kp": 1.0}}
    mine = dict(shared)
    put(mine, ("pid", "kp"), 2.0)
    assert (shared["pid"]["kp"], mine["pid"]["kp"]) == (1.0, 2.0)


def test_a_drawn_number_is_within_its_bounds():
    table = {"samples": 200, "x": {"uniform": [0.12345678, 0.12345679]}}
    assert all(0.12345678 <= sample[("x",)] <= 0.12345679 for sample in chance.samples(table))


def test_the_files_that_we_hand_out_are_understood(trials_of):
    assert len(plan.trials(plan.read(ROOT / "examples" / "bullet.toml"))) == 5 * 5 * 3
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "studies.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    assert len(trials_of(blocks[0])) == 3 * 2 * (2 + 2)  # cvpo with two presets at one discount, sac-lag at two
    one = 'algorithms = ["sac-lag"]\nenvs = ["SafetyCarRun-v0"]\n'
    assert len(trials_of(one + blocks[1] + blocks[2])) == 20
