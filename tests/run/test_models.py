"""A model saved by itself comes back bit by bit, or says why it does not fit."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from bridle.core.types import Continuous, Leaf, Spec
from bridle.parts.dynamics.model import Dynamics, init
from bridle.run.disk import Damaged
from bridle.run.models import load_model, save_model

SPEC = Spec("Here-v0", Leaf((3,)), Continuous(2))
CONFIG = Dynamics(members=3, elites=2, hidden=(8, 8), decay=(0.0,))


def model(config=CONFIG, obs=3, key=0):
    return init(jax.random.key(key), obs, 2, 1, config)


def test_a_model_comes_back_as_it_was_with_what_is_known_of_it(tmp_path):
    save_model(tmp_path / "model", model(key=1), CONFIG, SPEC)
    home = save_model(tmp_path / "model", model(), CONFIG, SPEC, step=300, rules=["cheetah"])
    like = jax.eval_shape(model)
    found, facts = load_model(home, like, CONFIG, SPEC)
    assert jax.tree.structure(found) == jax.tree.structure(model())
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(model()), strict=True):
        np.testing.assert_array_equal(a, b)
    assert facts["step"] == 300 and facts["rules"] == ["cheetah"] and facts["config"]["members"] == 3
    assert len(list(home.iterdir())) == 2, "the older one is gone"


def test_a_model_of_another_world_or_of_other_networks_is_refused(tmp_path):
    home = save_model(tmp_path / "model", model(), CONFIG, SPEC)
    with pytest.raises(ValueError, match=r"learned in Here-v0, whose obs is .* There-v0"):
        load_model(home, model(obs=4), CONFIG, replace(SPEC, name="There-v0", obs=Leaf((4,))))
    wide = replace(CONFIG, hidden=(16, 16))
    with pytest.raises(ValueError, match=r"hidden \[8, 8\] instead of \[16, 16\]"):
        load_model(home, model(wide), wide, SPEC)


def test_a_damaged_or_a_missing_model_is_told(tmp_path):
    home = save_model(tmp_path / "model", model(), CONFIG, SPEC)
    (file,) = home.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Damaged):
        load_model(home, model(), CONFIG, SPEC)
    with pytest.raises(FileNotFoundError, match="did you mean 'model'"):
        load_model(tmp_path / "modle", model(), CONFIG, SPEC)
