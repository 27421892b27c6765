"""scripts/setup: installs what is missing, and leaves alone what is there."""

import os
import re
import subprocess

import pytest

from netpan_harness import REPO

pytestmark = pytest.mark.once

LIST = REPO / "packaging" / "debian-packages"
BENCH_LIST = REPO / "packaging" / "debian-packages-bench"

# Stand-ins for the system's tools: each writes its arguments into a log.
DPKG_QUERY = """#!/bin/sh
for package; do :; done
case " $INSTALLED " in
*" $package "*) echo installed ;;
*) echo "no packages found matching $package" >&2; exit 1 ;;
esac
"""
APT_GET = """#!/bin/sh
echo "apt-get $* frontend=$DEBIAN_FRONTEND" >>"$CALLS"
case "$*" in
*update*) exit ${UPDATE_EXIT:-0} ;;
esac
policy=$SETUP_ROOT/usr/sbin/policy-rc.d
[ ! -e "$policy" ] || sh "$policy" || echo "policy $?" >>"$CALLS"
exit ${INSTALL_EXIT:-0}
"""
NOTE = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
"""
SUDO = """#!/bin/sh
echo "sudo" >>"$CALLS"
exec "$@"
"""
ID = """#!/bin/sh
echo ${FAKE_UID:-0}
"""


def packages(path=LIST):
    """{group: [names]} of a list, by a parser of its own."""
    groups = {}
    now = None
    for line in path.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            now = groups.setdefault(heading[1], [])
        elif line and not line.startswith("#"):
            now.append(line)
    return groups


class Machine:
    """A copy of the script and its list, with the stand-ins first in PATH."""

    def __init__(self, folder):
        self.folder = folder
        self.calls_path = folder / "calls"
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("dpkg-query", "apt-get", "id"):
            text = {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "id": ID}[name]
            self.tool(name, text)
        for name in ("service", "update-rc.d"):
            self.tool(name, NOTE)
        self.root = folder / "root"
        self.policy = self.root / "usr" / "sbin" / "policy-rc.d"
        self.policy.parent.mkdir(parents=True)
        (self.root / "etc" / "init.d").mkdir(parents=True)
        for name in ("nginx", "lighttpd", "h2o"):
            (self.root / "etc" / "init.d" / name).touch()
        (folder / "scripts").mkdir()
        (folder / "packaging").mkdir()
        (folder / "scripts" / "setup").write_bytes(
            (REPO / "scripts" / "setup").read_bytes())
        for path in (LIST, BENCH_LIST):
            (folder / "packaging" / path.name).write_bytes(path.read_bytes())

    def tool(self, name, text):
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def setup(self, *args, installed=(), path=None, **env):
        """Runs it: (exit status, what it said, the calls it made)."""
        self.calls_path.write_text("")
        done = subprocess.run(
            ["/bin/sh", self.folder / "scripts" / "setup", *args],
            env={"PATH": path or f"{self.tools}:/usr/bin:/bin",
                 "CALLS": str(self.calls_path),
                 "SETUP_ROOT": str(self.root),
                 "INSTALLED": " ".join(installed), **env},
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        calls = self.calls_path.read_text().splitlines()
        return done.returncode, done.stdout + done.stderr, calls


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


ALL = [p for group in packages().values() for p in group]
BENCH = packages(BENCH_LIST)["bench"]


def test_lists_are_well_formed():
    groups = packages()
    assert {"build", "test"} <= set(groups)
    assert set(packages(BENCH_LIST)) == {"bench"}
    groups["bench"] = BENCH
    names = ALL + BENCH
    assert len(names) == len(set(names)), "a package is named twice"
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name), name
    for group, names in groups.items():
        assert names == sorted(names), f"[{group}] is not sorted"


def test_complete_machine_is_left_alone(machine):
    assert machine.setup(installed=ALL) == (0, "", [])


def test_only_the_missing_are_installed(machine):
    there = [p for p in ALL if p not in ("mandoc", "libssl-dev")]
    status, said, calls = machine.setup(installed=there)
    assert status == 0, said
    assert "libssl-dev" in said and "mandoc" in said
    assert len(calls) == 2
    assert " update " in calls[0]
    assert re.search(r" install -y --no-install-recommends libssl-dev mandoc ",
                     calls[1])
    assert all("frontend=noninteractive" in call for call in calls)


def test_group_installs_no_other(machine):
    status, said, calls = machine.setup("build")
    assert status == 0, said
    assert set(calls[1].split()) & set(ALL) == set(packages()["build"])


def test_servers_to_measure_are_installed_only_when_asked_for(machine):
    status, said, calls = machine.setup()
    assert status == 0, said
    assert not set(calls[1].split()) & set(BENCH)
    assert not any(c.startswith(("policy", "service")) for c in calls)


def test_servers_to_measure_do_not_start(machine):
    there = ["nginx", *ALL]
    status, said, calls = machine.setup("bench", installed=there)
    assert status == 0, said
    assert set(calls[1].split()) & set(BENCH) == set(BENCH) - {"nginx"}
    # Forbidden while they are installed, and not longer.
    assert calls[2] == "policy 101"
    assert not machine.policy.exists()
    # Not with the machine either; what was there before is left as it is.
    assert sorted(calls[3:]) == [
        "service h2o stop", "service lighttpd stop",
        "update-rc.d h2o disable", "update-rc.d lighttpd disable"]


def test_servers_may_start_again_when_the_install_fails(machine):
    status, said, calls = machine.setup("bench", INSTALL_EXIT="100")
    assert status == 1
    assert "policy 101" in calls
    assert not machine.policy.exists()


def test_policy_of_somebody_else_stays(machine):
    machine.policy.write_text("exit 104\n")
    status, said, calls = machine.setup("bench")
    assert status == 0, said
    assert "policy 104" in calls
    assert machine.policy.read_text() == "exit 104\n"


def test_not_root_goes_through_sudo(machine):
    machine.tool("sudo", SUDO)
    status, said, calls = machine.setup(FAKE_UID="1000")
    assert status == 0, said
    assert [c.split()[0] for c in calls] == ["sudo", "apt-get"] * 2
    assert all("frontend=noninteractive" in c for c in calls[1::2])


def test_neither_root_nor_sudo(machine):
    # A PATH of links, so that a sudo of this machine is not found.
    tools = machine.tools
    for name in ("awk", "dirname", "env", "grep", "mkdir", "sh", "tail"):
        os.symlink(f"/usr/bin/{name}", tools / name)
    status, said, calls = machine.setup(FAKE_UID="1000", path=str(tools))
    assert status == 1
    assert "root" in said and "sudo" in said and "meson" in said
    assert calls == []


def test_install_fails(machine):
    status, said, calls = machine.setup(INSTALL_EXIT="100")
    assert status == 1
    assert "could not install" in said and "build/setup.log" in said


def test_update_fails_but_install_works(machine):
    status, said, calls = machine.setup(UPDATE_EXIT="100")
    assert status == 0
    assert "could not be fetched" in said
    assert len(calls) == 2


def test_not_debian(machine):
    (machine.tools / "dpkg-query").unlink()
    tools = machine.tools
    for name in ("awk", "dirname", "env", "grep", "mkdir", "sh", "tail"):
        os.symlink(f"/usr/bin/{name}", tools / name)
    status, said, calls = machine.setup(path=str(tools))
    assert status == 1
    assert "not Debian" in said and "SKIP_SETUP=1" in said
    assert machine.setup(path=str(tools), SKIP_SETUP="1") == (0, "", [])
    assert calls == []


def test_unknown_group(machine):
    status, said, calls = machine.setup("nothing")
    assert status == 1
    assert "no group 'nothing'" in said
    assert calls == []


def test_nothing_else_names_packages():
    """Two lists: no script installs anything past it."""
    for path in [REPO / "Makefile", REPO / ".ci" / "run",
                 *(REPO / "scripts").iterdir()]:
        text = path.read_text()
        if path.name != "setup":
            assert "apt-get" not in text and "apt install" not in text, path
