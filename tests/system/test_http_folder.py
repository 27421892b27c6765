"""A folder over HTTP: its listing and its archives, looked at on the wire."""

import pytest

from http_client import Http
from netpan_harness import Netpand, make_file


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
