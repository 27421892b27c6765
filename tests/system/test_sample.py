"""scripts/make-sample: the folder of a first `make run`."""

import subprocess

import pytest

from netpan_harness import REPO, tree_state

pytestmark = pytest.mark.once

MAKE_SAMPLE = REPO / "scripts" / "make-sample"


def make_sample(*args):
    return subprocess.run([MAKE_SAMPLE, *args], capture_output=True, text=True)


def test_same_everywhere(tmp_path):
    for name in "one", "two":
        done = make_sample(tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert tree_state(tmp_path / "one") == tree_state(tmp_path / "two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


def test_has_what_a_first_look_needs(tmp_path):
    make_sample(tmp_path / "s")
    files = [p.relative_to(tmp_path / "s") for p in (tmp_path / "s").rglob("*")]
    names = [str(f) for f in files]
    assert "README.txt" in names
    assert any("/" in n for n in names)
    assert any(" " in n for n in names)
    assert any("你好" in n for n in names)
    assert (tmp_path / "s" / "numbers.txt").stat().st_size == 8 << 20
    assert (tmp_path / "s" / "notes" / "empty").stat().st_size == 0


def test_keeps_what_is_there(tmp_path):
    kept = tmp_path / "s"
    kept.mkdir()
    (kept / "mine").write_text("mine")
    before = tree_state(tmp_path)
    assert make_sample(kept).returncode == 0
    assert tree_state(tmp_path) == before


def test_usage():
    assert make_sample().returncode == 2
    assert make_sample("a", "b").returncode == 2
