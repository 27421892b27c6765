#!/usr/bin/python3
"""Writes the seeds of fuzz_client into a folder (fuzz/corpus/fuzz_client):
conversations of an honest server, and of some that are not."""

import hashlib
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/system"))

from train_client import FOLDER  # noqa: E402
from train_server import (put_data, put_end, put_error, put_head,  # noqa: E402
                          put_sum)

TREE, FILE, LEAF, LIST, LONG_LIST = 0, 1, 2, 3, 7


def script(raw, with_hello=True):
    assert len(raw) < 32768
    return struct.pack("<H", len(raw) | (0 if with_hello else 0x8000)) + raw


def file(path, data, offset=0, **facts):
    return (put_head(path, size=len(data), offset=offset, **facts)
            + put_data(data[offset:]) + put_end(data))


A = file((b"a",), b"A")
F = file((b"f",), b"hello", mtime_ns=1)
F_REST = file((b"f",), b"hello", offset=2, mtime_ns=1)
D = put_head((b"d",), FOLDER, mode=0o755)
DB = file((b"d", b"b"), b"B" * 300)
LISTING = (put_head((b"a",), size=1) + D
           + put_head((b"d", b"b"), size=300)
           + put_head((b"f",), size=5, mtime_ns=1) + put_sum(3, 1, 306))

SEEDS = [
    (TREE, [LISTING + A + D + DB + F_REST + put_sum(3, 1)]),
    (TREE, [LISTING + A + D + DB + put_sum(3, 1) + F_REST + put_sum(1)]),
    (TREE, [LISTING + A + D + DB[:100], D + DB + put_sum() + F_REST
            + put_sum()]),
    (TREE, [LISTING[:70], LISTING[45:], A + D + DB + put_sum() + F
            + put_sum()]),
    (TREE, [LISTING + A.replace(b"A", b"X", 1) + D + DB + put_sum() + F
            + put_sum() + A + put_sum()]),
    (TREE, [LISTING + put_head((b"a",), size=1) + put_error(9, 1) + D
            + put_head((b"d", b"b"), size=300) + put_data(b"B" * 7)
            + put_error(8, 1) + put_sum()]),
    (TREE, [LISTING + A + file((b"aa",), b"unasked") + put_sum()]),
    (TREE, [put_error(10), put_error(11, 3), LISTING + put_error(3)]),
    (TREE, [put_head((b"link",), FOLDER) + put_head((b"link", b"secret"),
            size=4) + put_sum(1, 1)]),
    (TREE, [put_head((b"leaf",), size=4) + put_head((b"mine",), FOLDER)
            + put_head((b"mine", b"x"), size=1) + put_sum()
            + file((b"leaf",), b"evil") + put_sum()]),
    (FILE, [F]),
    (FILE, [F, F_REST]),
    (FILE, [F, F_REST[:60], F_REST]),
    (FILE, [F.replace(b"hello", b"hallo", 1), F]),
    (FILE, [file((b"f",), b"new version")]),
    (FILE, [put_error(3)]),
    (FILE, [put_error(10), F, F_REST]),
    (LEAF, [file((b"leaf",), b"evil")]),
    (LEAF, [file((b"leaf",), b"L" * 5000)[:3000],
            file((b"leaf",), b"L" * 5000, offset=2900)]),
    (LIST, [LISTING]),
    (LIST, [put_head((b"a",)) + put_head((b"\x1b[2J\n",)) + put_sum(2)]),
    (LONG_LIST, [put_head((b"a",)) + put_head((b"d",), FOLDER, mtime_ns=-1),
                 put_head((b"e",), mtime_ns=2**63 - 1) + put_sum(1, 1, 0, 3)]),
    (LIST, [put_error(5, 2, "网盘".encode())]),
]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for command, scripts in SEEDS:
        for read_max in 0, 1, 7:
            raw = bytes([command, read_max]) + b"".join(map(script, scripts))
            name = hashlib.sha256(raw).hexdigest()[:16]
            (folder / name).write_bytes(raw)
    raw = bytes([FILE, 0]) + script(b"HTTP/1.1 200 OK\r\n\r\n", False)
    (folder / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)


main()
