"""What is told of requests: counts, the log, the access log."""

import json
import re
import socket
import struct

from http_client import Http, raw
from netpan_harness import Netpand, wait_for


def test_counts_under_at(tree):
    with Netpand(tree) as server, Http(server.port) as http:
        (tree / "f").write_bytes(b"x" * 1000)
        for _ in range(3):
            assert http.get("/f").status == 200
        assert http.get("/nothing").status == 404
        assert http.get("/f", Range="bytes=0-0").status == 206

        # what the master counts is there a moment later
        wait_for(lambda: http.get("/@/health").body == b"ok\n", "it is well")
        status = wait_for(
            lambda: (s := json.loads(http.get("/@/status").body))
            and s["total"]["given"] >= 1 and s, "the master has published")
        assert status["total"]["taken"] >= 1
        text = http.get("/@/metrics").body.decode()
        count = dict(re.findall(
            r'^netpan_requests_total\{status="(\w+)"\} (\d+)$',
            text, re.M)) or text
        assert count["404"] == "1" and count["206"] == "1", text
        assert int(count["200"]) >= 5
        assert http.get("/@/style.css")["Content-Type"].startswith("text/css")
        for path in ("/@", "/@/", "/@/x", "/@/../f"):
            assert http.get(path).status in (400, 404)


def test_a_line_for_each_request(tree, tmp_path):
    log = tmp_path / "access.log"
    (tree / "f").write_bytes(b"x" * 1000)
    with Netpand(tree, "--access-log", log) as server:
        with Http(server.port) as http:
            http.get("/f", Referer='http://a/"b"', User_Agent="test\\1")
            http.get("/nothing?a=b")
            http.get("/f", method="HEAD")
            http.get("/f", Range="bytes=10-19")
        # another worker may serve the next, and write its line earlier
        wait_for(lambda: len(log.read_text().splitlines()) == 4, "four lines")
        raw(server.port, b"\x01\x02\r\n\r\n")
        lines = wait_for(lambda: (t := log.read_text().splitlines())
                         and len(t) >= 5 and t, "five lines")
    form = re.compile(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d '
                      r'\+0000\] "(.*?)" (\d{3}) (\d+) "(.*?)" "(.*?)"$')
    got = [form.match(line).groups() for line in lines]
    assert got[0] == ("GET /f HTTP/1.1", "200", "1000",
                      "http://a/\\x22b\\x22", "test\\x5C1")
    assert got[1][:2] == ("GET /nothing?a=b HTTP/1.1", "404")
    assert got[2][:3] == ("HEAD /f HTTP/1.1", "200", "0")
    assert got[3][:3] == ("GET /f HTTP/1.1", "206", "10")
    assert got[4][1] == "400"


def test_only_a_trusted_proxy_is_believed(tree):
    (tree / "f").write_bytes(b"x")
    head = b"GET /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    told = head + b"X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n\r\n"
    said = b"PROXY TCP4 203.0.113.8 127.0.0.1 1 2\r\n" + head + b"\r\n"
    with Netpand(tree) as server:
        assert raw(server.port, told).startswith(b"HTTP/1.1 200 ")
        assert raw(server.port, said).startswith(b"HTTP/1.1 400 ")
        assert not re.search(r"conn \d+ (198|203)\.", server.log())
    with Netpand(tree, "--trust-proxy", "127.0.0.0/8") as server:
        assert raw(server.port, told).startswith(b"HTTP/1.1 200 ")
        assert raw(server.port, said).startswith(b"HTTP/1.1 200 ")
        assert " 203.0.113.9 GET /f " in server.log()
        assert " 203.0.113.8 GET /f " in server.log()
        assert raw(server.port, b"PROXY TCP4 x\r\n" + head + b"\r\n") == b""


def test_each_proxy_of_a_chain_may_write_a_line(tree):
    (tree / "f").write_bytes(b"x")

    def ask(path, *lines):
        told = "".join(f"X-Forwarded-For: {line}\r\n" for line in lines)
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n{told}\r\n".encode()

    with Netpand(tree, "--trust-proxy", "127.0.0.0/8", workers=1) as server:
        raw(server.port,
            ask("/f?1", "198.51.100.1", "203.0.113.9", "127.0.0.7")
            + ask("/f?2", "203.0.113.9", "junk", "127.0.0.7")
            + ask("/f?3", *["127.0.0.7"] * 60)
            + ask("/f?4", "203.0.113.9") + b"BAD\r\n\r\n")
        log = wait_for(lambda: (t := server.log()) and " BAD 400" in t and t,
                       "the last is logged")
    assert " 203.0.113.9 GET /f?1 " in log
    assert " 127.0.0.1 GET /f?2 " in log
    assert " 127.0.0.1 GET /f?3 " in log
    assert " 203.0.113.9 GET /f?4 " in log
    assert " 127.0.0.1 BAD 400 " in log


def test_an_answer_does_not_wait_for_the_next_ones_disk(tree):
    """The first answer is there while the second one is still computed."""
    (tree / "small").write_bytes(b"x" * 100)
    with open(tree / "sparse", "wb") as f:
        f.truncate(1 << 40)
    with Netpand(tree, workers=1) as server, Http(server.port) as http:
        http.get("/small")
        http.send(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"
                  b"GET /sparse HTTP/1.1\r\nHost: x\r\n"
                  b"Want-Repr-Digest: sha-256=1\r\n\r\n")
        assert http.reply().body == b"x" * 100


def test_a_redirect_keeps_the_query(tree):
    (tree / "folder").mkdir()
    with Netpand(tree) as server, Http(server.port) as http:
        assert http.get("/folder?json&limit=2")["Location"] == "/folder/?json&limit=2"


def test_no_answer_is_used_again_unasked(tree):
    """What is on the disk counts, also for what was a folder or missing."""
    (tree / "folder").mkdir()
    (tree / "f").write_bytes(b"x")
    with Netpand(tree) as server, Http(server.port) as http:
        for path, fields, status in [
                ("/folder", {}, 301), ("/folder/", {}, 200),
                ("/folder/?tar", {}, 200), ("/missing", {}, 404),
                ("/missing?json", {}, 404), ("/f?%", {}, 400), ("/f", {}, 200),
                ("/f", {"If_None_Match": "*"}, 304),
                ("/f", {"If_Match": '"x"'}, 412),
                ("/f", {"Range": "bytes=5-"}, 416)]:
            for method in "HEAD", "GET":
                reply = http.get(path, method=method, **fields)
                assert method == "HEAD" or reply.status == status
                assert reply["Cache-Control"] == "no-cache", (path, reply)


def test_a_sorted_listing_keeps_its_limit(tree):
    for i in range(20):
        (tree / f"f{i}").write_bytes(b"x" * (i * 37 % 20))
    with Netpand(tree) as server, Http(server.port) as http:
        page = json.loads(http.get("/?json&sort=size&desc&limit=7").body)
        sizes = [e["size"] for e in page["entries"] if e["type"] == "file"]
        assert len(page["entries"]) == 7
        assert sizes == sorted(sizes, reverse=True)


def test_who_leaves_before_the_answer_is_499(tree, tmp_path):
    log = tmp_path / "access.log"
    with open(tree / "sparse", "wb") as f:
        f.truncate(1 << 40)
    with Netpand(tree, "--access-log", log, workers=1) as server:
        with Http(server.port) as http:
            http.send(b"GET /sparse HTTP/1.1\r\nHost: x\r\n"
                      b"Want-Repr-Digest: sha-256=1\r\n\r\n")
            with Http(server.port) as other:
                # it has been read, and is waited for
                wait_for(lambda: json.loads(other.get("/@/status").body)
                         ["jobs"] > 0, "the digest is computed")
                http.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
                http.close()
                line = wait_for(
                    lambda: [t for t in log.read_text().splitlines()
                             if "/sparse" in t], "it is logged")[0]
                assert '"GET /sparse HTTP/1.1" 499 0 ' in line
                metrics = other.get("/@/metrics").body
                assert b'{status="499"} 1\n' in metrics


def test_the_bytes_are_those_of_the_body(tree, tmp_path):
    """Without what frames it: one chunk, or many."""
    log = tmp_path / "access.log"
    (tree / "f").write_bytes(b"x" * 1000000)
    for i in range(3000):
        (tree / f"{i:04}{'y' * 200}").touch()
    with Netpand(tree, "--access-log", log, workers=1) as server:
        want = []
        with Http(server.port) as http:
            for path in "/?json&limit=1", "/?json", "/?tar", "/?zip":
                want.append(len(http.get(path).body))
        for path in "/?json&limit=1", "/?json", "/?tar":
            got = raw(server.port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
            want.append(len(got.partition(b"\r\n\r\n")[2]))
        lines = wait_for(lambda: (t := log.read_text().splitlines())
                         and len(t) >= len(want) and t, "they are logged")
        assert [int(line.split('"')[2].split()[1]) for line in lines] == want
