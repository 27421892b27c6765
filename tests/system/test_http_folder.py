"""A folder over HTTP: its listing and its archives, looked at on the wire."""

import json
import os
import re
import urllib.parse
from html import unescape

import pytest

from http_client import Http
from netpan_harness import Netpand, make_file, wait_for


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_head_of_an_archive_is_the_archives(tree, form):
    """And not the listing's; more than what is made ahead is left behind."""
    (tree / "folder").mkdir()
    make_file(tree / "folder" / "f", 3 << 20)
    with Netpand(tree, workers=1) as server, Http(server.port) as http:
        path = f"/folder/?{form}"
        head = http.get(path, method="HEAD")
        whole = http.get(path)
        assert head.status == whole.status == 200 and whole.body != b""
        assert head["Content-Type"] == whole["Content-Type"] != "text/html"
        assert [n for n, _ in head.fields] == [n for n, _ in whole.fields]
        assert f'"folder.{form}"' in head["Content-Disposition"]
        missing = f"/missing/?{form}"
        assert http.get(missing, method="HEAD").status == 404
        # and nothing is kept of those that were only asked about
        for _ in range(20):
            assert http.get(path, method="HEAD").status == 200


def ask_1_0(http, path):
    http.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert http._until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """More than sockets hold, as a listing and as an archive."""
    root = tmp_path_factory.mktemp("wide")
    for i in range(25000):
        (root / f"{i:05}{'x' * 240}").touch()
    return root


@pytest.mark.parametrize("path", ["/?json", "/?tar"])
def test_what_ends_with_the_connection_is_reset_when_cut(wide, path):
    """HTTP/1.0 has no other end for these: the client must not take the end of
    a connection that broke for theirs."""
    with Netpand(wide, workers=1) as server:
        with Http(server.port) as http:
            ask_1_0(http, path)
            whole = len(http._rest())
        with Http(server.port, receive_buffer=4096) as http:
            ask_1_0(http, path)
            died = server.kill_worker()
            wait_for(lambda: died not in server.workers(), "it is dead")
            with pytest.raises(ConnectionResetError):
                assert len(http._rest()) < whole
    strict = ("--rate-window", "1", "--min-rate", "1024")
    with Netpand(wide, *strict, workers=1) as server:
        with Http(server.port, receive_buffer=4096) as http:
            ask_1_0(http, path)
            wait_for(lambda: "too slow" in server.log(), "it is closed")
            with pytest.raises(ConnectionResetError):
                assert len(http._rest()) < whole


@pytest.mark.parametrize("accept, is_json", [
    ("application/json", True), ("application/json;q=0.9", True),
    ("application/json;q=0", False), ("*/*", False),
    ("text/plain\r\nAccept: application/json", True),
    ("application/json;q=0.8, text/html", False),
])
def test_json_is_for_who_prefers_it(tree, accept, is_json):
    with Netpand(tree, workers=1) as server, Http(server.port) as http:
        for path in "/", "/missing":
            reply = http.get(path, Accept=accept)
            assert (reply["Content-Type"] == "application/json") == is_json


def test_what_is_listed_can_be_asked_for(tmp_path):
    """And what cannot is not listed: by its address, in both forms and each
    order, whatever bytes a name has."""
    root = os.fsencode(tmp_path / "root")
    os.mkdir(root)
    for b in range(1, 256):
        if b != ord("/"):
            with open(root + b"/x" + bytes([b]), "wb") as f:
                f.write(bytes([b]))
            os.mkdir(root + b"/d" + bytes([b]))
    with Netpand(os.fsdecode(root), workers=1) as server:
        with Http(server.port) as http:
            for order in "", "&sort=size", "&desc", "&limit=100":
                found = set()
                query = "?json" + order
                while query:
                    page = json.loads(http.get("/" + query).body)
                    for e in page["entries"]:
                        url = "/" + e.get("url", urllib.parse.quote(
                            e["name"]) + "/" * (e["type"] == "folder"))
                        found.add(url)
                    query = page["next"]
                assert len(found) == 2 * (256 - 32 - 1 - 1)
            html = http.get("/?limit=1000").body.decode()
            links = {"/" + urllib.parse.quote(urllib.parse.unquote_to_bytes(u))
                     for u in re.findall(r'<td><a href="([^"]*)"', html)}
            assert len(links) == len(found)
            for url in found:
                reply = http.get(url)
                assert reply.status == 200
                if url[1] == "x":
                    name = urllib.parse.unquote_to_bytes(url)
                    assert reply.body == name[-1:]


def test_the_links_of_a_page_lead_to_all_of_it(tmp_path):
    """What is one page of 1000 by name has no limit in another order, unless
    one was asked for."""
    for i in range(1003):
        (tmp_path / f"f{i:04}").touch()
    with Netpand(tmp_path, workers=1) as server, Http(server.port) as http:
        def links(query):
            html = http.get("/" + query).body.decode()
            head, _, rest = html.partition("<tbody>")
            heads = re.findall(r'<th [^>]*><a href="([^"]*)"', head)
            return ([unescape(u) for u in heads],
                    re.findall(r'<td><a href="([^"]*)"', rest),
                    re.search(r'rel="next" href="([^"]*)"', rest))

        heads, names, following = links("")
        assert len(names) == 1000
        assert len(links(unescape(following[1]))[1]) == 3
        assert len(heads) == 3
        for query in heads:
            assert len(links(query)[1]) == 1003, query
        for query in links("?limit=5")[0]:
            assert len(links(query)[1]) == 5, query


def test_a_page_of_what_is_too_much_to_sort_is_one_page(tmp_path):
    for i in range(10001):
        (tmp_path / f"f{i:05}").touch()
    with Netpand(tmp_path, workers=1) as server, Http(server.port) as http:
        html = http.get("/?sort=size").body.decode()
        assert html.count("<time ") == 1000
        assert '<a rel="next" href="?after=f00999"' in html
