"""Trainings as processes: what they are told, and what is told of them."""

import pytest

from bridle.run.processes import environment, why


def test_a_training_gets_as_many_threads_as_it_has_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = environment(2)
    assert (found["NPROC"], found["OPENBLAS_NUM_THREADS"], found["OMP_NUM_THREADS"]) == ("2", "2", "7")


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (-9, [], "killed by SIGKILL, perhaps for want of memory"),
        (-11, ["bridle: on"], "killed by SIGSEGV"),
        (1, ["noise", "bridle: it diverged", "bridle: the traceback lies in log.txt", "  "], "it diverged"),
        (2, ["│ wrong value │", "╰──╯"], "wrong value"),
        (3, [], "it left with code 3"),
    ],
)
def test_why_a_process_left_is_told_in_one_line(code, said, told):
    assert why(code, said) == told
