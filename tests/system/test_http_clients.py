"""Real clients of HTTP: what people have, against netpand as it is."""

import json
import os
import shutil
import socket
import subprocess
import zipfile

import pytest

from http_client import Http
from netpan_harness import (Netpand, make_file, make_tree, sha256, tree_state)

QUIET = dict(stdin=subprocess.DEVNULL, capture_output=True, timeout=100)


def run(*argv, check=True, **more):
    done = subprocess.run([os.fspath(a) for a in argv], **{**QUIET, **more})
    if check:
        assert done.returncode == 0, (argv, done.returncode,
                                      done.stdout[-2000:], done.stderr[-2000:])
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server and the tree it serves: (server, root)."""
    root = make_tree(tmp_path_factory.mktemp("clients") / "served")
    make_file(root / "big.bin", 40 << 20, seed=7)
    with Netpand(root) as server:
        yield server, root


def url(server, path=""):
    return f"http://127.0.0.1:{server.port}/{path}"


# ---- curl ----


def test_curl_gets_a_file(world, tmp_path):
    server, root = world
    run("curl", "-sfo", tmp_path / "got", url(server, "big.bin"))
    assert sha256(tmp_path / "got") == sha256(root / "big.bin")


def test_curl_resumes(world, tmp_path):
    server, root = world
    got = tmp_path / "got"
    got.write_bytes((root / "big.bin").read_bytes()[:12345678])
    run("curl", "-sf", "-C", "-", "-o", got, url(server, "big.bin"))
    assert sha256(got) == sha256(root / "big.bin")


def test_curl_resumes_what_is_whole(world, tmp_path):
    server, root = world
    shutil.copy(root / "big.bin", tmp_path / "got")
    done = run("curl", "-s", "-C", "-", "-o", tmp_path / "got",
               "-w", "%{http_code}", url(server, "big.bin"), check=False)
    assert done.stdout == b"416"
    assert sha256(tmp_path / "got") == sha256(root / "big.bin")


@pytest.mark.parametrize("wanted", ["0-0", "5-", "-7", "100-199,5-6,-1"])
def test_curl_ranges(world, wanted):
    server, root = world
    done = run("curl", "-sf", "-r", wanted, url(server, "big.bin"))
    data = (root / "big.bin").read_bytes()
    if "," in wanted:
        assert done.stdout.count(b"Content-Range: bytes ") == 3
        assert data[100:200] in done.stdout and data[5:7] in done.stdout
    else:
        first, _, last = wanted.partition("-")
        want = (data[-int(last):] if not first else
                data[int(first):int(last) + 1 if last else None])
        assert done.stdout == want


def test_curl_speaks_http_1_0(world, tmp_path):
    server, root = world
    run("curl", "-sf", "--http1.0", "-o", tmp_path / "got",
        url(server, "big.bin"))
    assert sha256(tmp_path / "got") == sha256(root / "big.bin")
    done = run("curl", "-sf", "--http1.0", url(server, "?json"))
    assert json.loads(done.stdout)["path"] == "/"


def test_curl_that_expects_to_go_on(world):
    server, _ = world
    done = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
               "-H", "Expect: 100-continue", "-X", "POST",
               "--data-binary", "@-", url(server, "big.bin"),
               stdin=None, input=b"x" * 100000)
    assert done.stdout == b"405"


def test_curl_asks_only_for_what_is_newer(world, tmp_path):
    server, root = world
    etags = tmp_path / "etag"
    for want in (b"200", b"304"):
        done = run("curl", "-s", "-o", tmp_path / "got", "-w", "%{http_code}",
                   "--etag-save", etags, "--etag-compare", etags,
                   url(server, "big.bin"))
        assert done.stdout == want
    done = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
               "-z", root / "big.bin", url(server, "big.bin"))
    assert done.stdout == b"304"


def test_curl_names_what_it_downloads(world, tmp_path):
    server, root = world
    name = "网盘.txt"
    where = next(p for p in root.rglob("*") if p.name == name)
    path = "/".join(map(_escape, where.relative_to(root).parts))
    run("curl", "-sfOJ", url(server, path + "?download"), cwd=tmp_path)
    (got,) = tmp_path.iterdir()
    assert got.read_bytes() == where.read_bytes()


def _escape(name):
    return "".join(f"%{b:02X}" for b in os.fsencode(name))


def test_every_file_of_a_tree(world):
    """Whatever its name is: the same bytes by HTTP."""
    server, root = world
    with Http(server.port) as http:
        for where, _, files in os.walk(os.fsencode(root)):
            for name in files:
                path = os.path.relpath(os.path.join(where, name),
                                       os.fsencode(root))
                at = "/".join(map(_escape, path.split(b"/")))
                with open(os.path.join(where, name), "rb") as f:
                    want = f.read()
                if any(b < 0x20 or b == 0x7f for b in path):
                    assert http.get("/" + at).status == 400
                else:
                    assert http.get("/" + at).body == want


def test_two_hundred_in_a_pipeline(world):
    """All requests are sent before the first answer is read."""
    server, root = world
    data = (root / "big.bin").read_bytes()
    with Http(server.port) as http:
        for n in range(200):
            http.send(f"GET /big.bin HTTP/1.1\r\nHost: x\r\n"
                      f"Range: bytes={n * 1000}-{n * 1777 + 999}\r\n\r\n"
                      .encode())
        for n in range(200):
            reply = http.reply()
            assert reply.status == 206
            assert reply.body == data[n * 1000:n * 1777 + 1000]


# ---- wget ----


def test_wget_continues(world, tmp_path):
    server, root = world
    got = tmp_path / "big.bin"
    got.write_bytes((root / "big.bin").read_bytes()[:999])
    run("wget", "-qc", url(server, "big.bin"), cwd=tmp_path)
    assert sha256(got) == sha256(root / "big.bin")


def test_wget_mirrors_a_folder(world, tmp_path):
    """By the links of the listing."""
    server, root = world
    run("wget", "-q", "-r", "-np", "-nH", "-e", "robots=off",
        "--restrict-file-names=nocontrol", "-R", "index.html*", "-X", "/@",
        "-P", tmp_path / "got", url(server), check=False)
    want = {k: v[4] for k, v in tree_state(root).items() if v[4] is not None}
    got = {k: v[4] for k, v in tree_state(tmp_path / "got").items()
           if v[4] is not None}
    # wget's own troubles: a control byte is no address, a percent sign is
    # decoded once more, and a name of 255 bytes leaves it no room
    hard = {k for k in want if any(b < 0x20 or b == 0x7f for b in k)
            or b"%" in k or b"x" * 255 in k}
    assert {k: got.get(k) for k in set(want) - hard} == {
        k: want[k] for k in set(want) - hard}


# ---- aria2 ----


def test_aria2_with_16_connections(world, tmp_path):
    server, root = world
    run("aria2c", "-q", "-x", "16", "-s", "16", "-k", "1M",
        "-d", tmp_path, "-o", "got", url(server, "big.bin"))
    assert sha256(tmp_path / "got") == sha256(root / "big.bin")


# ---- players ----


def test_ffprobe_seeks_in_a_video(world, tmp_path):
    """Its index is at the end of the file: a player must jump there."""
    server, root = world
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i",
        "testsrc2=size=320x240:rate=25", "-t", "20", "-g", "25",
        "-b:v", "2M", "-y", root / "film.mp4")
    done = run("ffprobe", "-v", "error", "-show_entries", "format=duration",
               "-of", "json", url(server, "film.mp4"))
    assert abs(float(json.loads(done.stdout)["format"]["duration"]) - 20) < 1
    run("ffmpeg", "-v", "error", "-ss", "15", "-i", url(server, "film.mp4"),
        "-frames:v", "1", "-y", tmp_path / "frame.png")
    assert (tmp_path / "frame.png").stat().st_size > 1000
    assert "GET /film.mp4 HTTP/1.1 206" in server.log()


# ---- archives ----


@pytest.fixture(scope="module")
def packed(world, tmp_path_factory):
    server, root = world
    where = tmp_path_factory.mktemp("packed")
    for form in ("tar", "zip"):
        run("curl", "-sfo", where / f"a.{form}", url(server, "?" + form))
    return where


def test_tar_takes_the_archive(packed, world, tmp_path):
    _, root = world
    run("tar", "-tf", packed / "a.tar")
    run("tar", "-xf", packed / "a.tar", "-C", tmp_path)
    got = tree_state(tmp_path / "netpan")
    for k, v in tree_state(root).items():
        if v[4] is not None and not set(k) & set(b"\\:\n\x7f"):
            assert got[k][4] == v[4], k


def test_unzip_takes_the_archive(packed, world):
    _, root = world
    run("unzip", "-tqq", packed / "a.zip")
    with zipfile.ZipFile(packed / "a.zip") as z:
        assert z.testzip() is None
        names = z.namelist()
    assert all(n.startswith("netpan/") for n in names)
    assert not any("\\" in n or ":" in n or ".." in n.split("/")
                   for n in names)
    assert len([n for n in names if not n.endswith("/")]) == sum(
        v[4] is not None for v in tree_state(root).values())


def test_an_archive_ends_when_its_client_goes(world):
    server, _ = world
    for form in ("tar", "zip"):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.port)) as s:
                s.sendall(f"GET /?{form} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    with Http(server.port) as http:
        assert http.get("/?tar").status == 200


# ---- what is built on HTTP: a browser ----


def test_chromium_shows_the_listing(world, tmp_path):
    """The page works without script; a name is shown as what it is, and is
    never markup."""
    server, root = world
    folder = root / "page"
    folder.mkdir()
    evil = "<img src=x onerror=document.title='no'>"
    (folder / evil).write_bytes(b"x")
    (folder / "你好 & more.txt").write_bytes(b"x")
    done = run("chromium", "--headless", "--no-sandbox", "--disable-gpu",
               "--disable-quic", "--no-first-run",
               "--disable-background-networking",
               "--disable-component-update", "--disable-sync",
               f"--user-data-dir={tmp_path}", "--dump-dom",
               url(server, "page/"))
    page = done.stdout.decode()
    assert "<title>no</title>" not in page
    assert "&lt;img src=x onerror=document.title='no'&gt;" in page
    assert "你好 &amp; more.txt" in page
    assert "<img" not in page
