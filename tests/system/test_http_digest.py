"""Repr-Digest: the SHA-256 of a file for who wants it (RFC 9530)."""

import base64
import hashlib
import os
import threading

import pytest

from http_client import Http
from netpan_harness import Netpand, make_file, sha256


def digest_of(reply):
    value = reply["Repr-Digest"]
    if value is None:
        return None
    assert value.startswith("sha-256=:") and value.endswith(":")
    return base64.b64decode(value[9:-1]).hex()


WANT = {"Want_Repr_Digest": "sha-256=1"}


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 65537, 3 << 20])
def test_it_is_the_files(tree, size):
    path = make_file(tree / "f", size, seed=size)
    os.utime(path, (1000000000, 1000000000))
    with Netpand(tree) as server, Http(server.port) as http:
        for _ in range(3):
            reply = http.get("/f", **WANT)
            assert digest_of(reply) == sha256(path)
            assert hashlib.sha256(reply.body).hexdigest() == sha256(path)
        assert digest_of(http.get("/f", method="HEAD", **WANT)) == sha256(path)
        if size > 1:
            part = http.get("/f", Range="bytes=0-0", **WANT)
            assert part.status == 206 and digest_of(part) == sha256(path)
        assert digest_of(http.get("/f")) is None
        assert digest_of(http.get("/f", Want_Repr_Digest="sha-256=0")) is None
        assert digest_of(http.get("/f", Want_Repr_Digest="md5=5")) is None
        path.write_bytes(b"changed")
        assert digest_of(http.get("/f", **WANT)) == sha256(path)


def test_many_want_the_same(tree):
    """All get it, also those who were there before it was computed."""
    path = make_file(tree / "big", 20 << 20)
    got = []

    def ask(port):
        with Http(port) as http:
            got.append(digest_of(http.get("/big", method="HEAD", **WANT)))

    with Netpand(tree, workers=1) as server:
        threads = [threading.Thread(target=ask, args=(server.port,))
                   for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert got == [sha256(path)] * 12


def test_who_goes_away_is_not_waited_for(tree):
    with open(tree / "sparse", "wb") as f:
        f.truncate(1 << 40)
    make_file(tree / "f", 100000)
    with Netpand(tree, workers=1) as server:
        for _ in range(8):
            with Http(server.port) as http:
                http.send(b"GET /sparse HTTP/1.1\r\nHost: x\r\n"
                          b"Want-Repr-Digest: sha-256=1\r\n\r\n")
        with Http(server.port) as http:
            assert digest_of(http.get("/f", **WANT)) == sha256(tree / "f")


def test_an_answer_without_the_file_does_not_wait_for_it(tree):
    """Else none of these would come: a worker reads a terabyte for hours."""
    with open(tree / "sparse", "wb") as f:
        f.truncate(1 << 40)
    with Netpand(tree, workers=1) as server, Http(server.port) as http:
        tag = http.get("/sparse", method="HEAD")["ETag"]
        for status, fields in ((304, {"If_None_Match": tag}),
                               (412, {"If_Match": '"another"'}),
                               (416, {"Range": f"bytes={1 << 40}-"})):
            reply = http.get("/sparse", **fields, **WANT)
            assert reply.status == status and digest_of(reply) is None
