"""The cache of compiled functions survives whoever is killed while he writes to it."""

import os
import time
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from bridle.run import compiled, device
from bridle.run.compiled import MARK, is_whole, mend

DATA = zlib.compress(bytes(range(256)) * 40)


def write(cache: Path, name: str, data: bytes, age: float) -> Path:
    path = cache / f"{name}-cache"
    path.write_bytes(data)
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("torn", [b"", DATA[:3], DATA[:-1]])
def test_a_torn_entry_is_forgotten_and_others_stay(tmp_path, torn):
    whole, bad = write(tmp_path, "a", DATA, 100), write(tmp_path, "b", torn, 100)
    coming = write(tmp_path, "c", torn, 1)
    mend(tmp_path)
    assert whole.exists() and not bad.exists()
    assert coming.exists()  # another process may be writing it
    os.utime(tmp_path / MARK, (time.time() - 300,) * 2)
    os.utime(coming, (time.time() - 200,) * 2)
    mend(tmp_path)
    assert whole.exists() and not coming.exists()


def test_entries_may_be_packed_by_zstd():
    try:
        data = compiled._zstd().compress(DATA)
    except ImportError:
        assert is_whole(compiled.ZSTD)  # nobody here can know, not even JAX
    else:
        assert is_whole(data) and not is_whole(data[:-1])


def test_what_was_looked_at_once_is_not_read_again(tmp_path):
    write(tmp_path, "a", DATA, 100)
    mend(tmp_path)
    known = write(tmp_path, "b", DATA[:-1], 100)
    mend(tmp_path)
    assert known.exists()


def test_no_cache_is_nothing_to_mend(tmp_path):
    mend(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_jax_writes_is_known_as_whole_and_its_half_is_not():
    jax.block_until_ready(jax.jit(lambda x: jnp.sin(x) * 2.71828)(jnp.ones(3)))
    entries = list(Path(jax.config.jax_compilation_cache_dir).glob("*-cache"))
    assert entries
    for entry in entries[:5]:
        data = entry.read_bytes()
        assert is_whole(data) and not is_whole(data[: len(data) // 2])


def test_the_users_cache_is_mended_before_jax_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = tmp_path / "bridle" / "jax"
    cache.mkdir(parents=True)
    bad = write(cache, "a", DATA[:-1], 100)
    said = []
    monkeypatch.setattr(jax.config, "update", lambda name, value: said.append((name, bad.exists())))
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", None, raising=False)
    device.remember()
    assert said[0] == ("jax_compilation_cache_dir", False)
