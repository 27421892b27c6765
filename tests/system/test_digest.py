"""Digests that the server keeps: never those of other bytes for long."""

import os
import struct
import time

import pytest

import train_client as tc
from netpan_harness import Netpand, make_file, netpan, sha256, wait_for
from train_client import TrainClient

ATTR = "user.netpan.sha256"
OLD_NS = 1500000000 * 10**9
SIZE = 100000  # more than what is sent whole, without a look at what is kept


@pytest.fixture
def file(tmp_path):
    """One old file in the served folder, where attributes can be kept."""
    (tmp_path / "served").mkdir()
    path = make_file(tmp_path / "served" / "file", SIZE, mtime_ns=OLD_NS)
    try:
        os.setxattr(path, "user.probe", b"")
    except OSError:
        pytest.skip("no user attributes here: set TMPDIR to a disk")
    return path


def kept(path):
    """The digest in its attribute, or None."""
    try:
        return os.getxattr(path, ATTR)[24:].hex()
    except OSError:
        return None


def rewrite(path, seed):
    """Other bytes in the same place, as many, with its time put back."""
    data = os.urandom(1) + bytes([seed]) * (SIZE - 1)
    with open(path, "r+b") as f:
        f.write(data)
    os.utime(path, ns=(OLD_NS, OLD_NS))


def plant(path):
    """A digest that the server must believe, though it is of other bytes: as a
    change leaves it that comes within the moment of keeping it."""
    late_ns = 1 << 60
    while late_ns > 10**6:
        now = time.time_ns()
        os.setxattr(path, ATTR, struct.pack(
            "<QqQ", SIZE | 2 << 56, OLD_NS, now) + bytes(32))
        late_ns = os.stat(path).st_ctime_ns - now


@pytest.mark.parametrize("workers", [1, 3])
def test_a_rewrite_right_after_a_fetch(file, tmp_path, workers):
    with Netpand(file.parent, workers=workers) as server:
        for i in range(20):
            copy = tmp_path / f"copy {i}"
            netpan("get", "-o", copy, server.url("file"), check=0)
            assert sha256(copy) == kept(file)
            rewrite(file, i)
            netpan("get", "-o", f"{copy} 2", server.url("file"), check=0)
            assert sha256(f"{copy} 2") == sha256(file) == kept(file)


@pytest.mark.parametrize("is_tree", [False, True])
def test_a_wrong_digest_is_put_right(file, tmp_path, is_tree):
    def get(name):
        if is_tree:
            netpan("get", "-r", "-o", tmp_path / name, server.url(), check=0)
            return tmp_path / name / "file"
        netpan("get", "-o", tmp_path / name, server.url("file"), check=0)
        return tmp_path / name

    with Netpand(file.parent) as server:
        plant(file)
        assert sha256(get("first")) == sha256(file) == kept(file)
        wait_for(lambda: "was of other bytes" in server.log(), "it is said")
        for i in range(4):
            assert sha256(get(f"copy {i}")) == sha256(file)
        assert server.log().count("was of other bytes") == 1


def test_what_is_kept_and_what_is_computed_anew(file):
    with Netpand(file.parent, workers=1) as server:
        plant(file)
        with TrainClient(server.port) as client:
            with pytest.raises(tc.ProtocolError, match="a wrong digest"):
                client.get("file")
        with TrainClient(server.port) as client:
            client.get("file", digest=False, anew=True)
            assert kept(file) == bytes(32).hex()
            client.get("file", anew=True)
            assert kept(file) == sha256(file)
            client.get("file")
            client.tree(anew=True)
