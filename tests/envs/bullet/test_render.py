"""Pictures: by whichever renderer works here, and drawn flat in any case."""

import numpy as np
import pytest

from bridle.envs import bullet, gl
from bridle.envs.bullet import render


def frames(task, count=4):
    world = bullet.make(task, 2, horizon=3)
    world.reset(np.arange(2))
    pictures = []
    for _ in range(count):
        pictures.append(world.render(1))
        world.step(np.tile(np.resize([-1.0, 0.2, 0.5, 1.0], world.spec.action.size), (2, 1)))
    world.close()
    world.close()
    return pictures


def check(pictures):
    for picture in pictures:
        assert picture.shape == (480, 640, 3) and picture.dtype == np.uint8
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert not np.array_equal(pictures[0], pictures[-1])


def test_a_renderer_is_named():
    assert render.available() in ("egl", "osmesa", "drawn")


@pytest.mark.parametrize("task", bullet.TASKS)
def test_every_task_is_drawn_without_gl(task, monkeypatch):
    monkeypatch.setattr(render, "available", lambda: "drawn")
    check(frames(task))


@pytest.mark.parametrize("task", bullet.TASKS)
def test_every_task_is_seen_by_the_camera(task):
    if render.available() == "drawn":
        pytest.skip("no GL here")
    check(frames(task))


def test_a_machine_without_gl_is_told_drawn(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    gl.available.cache_clear()
    try:
        assert render.available() == "drawn"
    finally:
        gl.available.cache_clear()


def test_the_trail_tells_where_it_cost_and_begins_anew_with_an_episode():
    from bridle.envs.bullet import circle
    from bridle.envs.bullet.topview import Trail

    trail = Trail(circle)
    assert trail.add(0, (0, 0), 5.0, 0.0)
    assert not trail.add(0, (0, 1), 5.5, 0.0) and not trail.add(0, (0, 2), 6.5, 0.0)
    assert [warm for _, _, warm, _ in trail.lines()] == [False, True]
    assert trail.add(0, (1, 0), 3.0, 0.0) and list(trail.lines()) == []
    assert trail.add(1, (1, 5), 3.0, 0.0)
