"""The doctor says what works, and never falls ill."""

from __future__ import annotations

from bridle import envs
from bridle.envs.bullet import render
from bridle.study import doctor


def test_where_training_works_the_exit_code_is_0(capsys, monkeypatch):
    monkeypatch.setattr(render, "available", lambda: "drawn")
    assert doctor.main() == 0
    told = capsys.readouterr().out
    for word in ("bridle", "jaxlib", "cpu", "SafetyCarCircle-v0", "compile cache", "renderer", "Training works here."):
        assert word in told
    assert "FAIL" not in told


def test_a_world_that_does_not_work_is_told_and_the_others_are_tried(capsys, monkeypatch):
    real = envs.make

    def make(name, *args, **settings):
        if name == "SafetyCarRun-v0":
            raise OSError("libmujoco.so [lost]: cannot open")
        return real(name, *args, **settings)

    monkeypatch.setattr(envs, "make", make)
    monkeypatch.setattr(render, "available", lambda: "drawn")
    assert doctor.main() == 1
    told = capsys.readouterr().out
    assert "FAIL SafetyCarRun-v0" in told
    assert "OSError: libmujoco.so [lost]: cannot open" in told
    assert "ok   SafetyBallRun-v0" in told


def test_a_check_that_raises_becomes_a_line(capsys, monkeypatch):
    def ill():
        raise RuntimeError

    monkeypatch.setattr(doctor, "CHECKS", {"Devices": ill})
    assert doctor.main() == 1
    assert "RuntimeError: no more is told" in capsys.readouterr().out


def test_a_missing_library_is_told_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ("no-such-library",))
    assert next(x for x in doctor.libraries() if x.good is False).told == "missing: pip install no-such-library"


def test_without_opengl_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(render, "available", lambda: "drawn")
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    line = next(doctor.pictures())
    assert not line.needed
    assert "apt-get install libegl1 libgl1-mesa-dri" in line.told
