"""The build: the same bytes every time, and a whole, hardened installation."""

import os
import re
import shutil
import subprocess

import pytest

from netpan_harness import REPO, sha256

pytestmark = pytest.mark.once

PRODUCTS = {
    "netpand": "src/server/netpand",
    "netpan": "src/client/netpan",
    "libfdpool.so": "lib/libfdpool.so.*[0-9]",
}


def run(*args, cwd=None, **env):
    done = subprocess.run([str(a) for a in args], cwd=cwd,
                          env={**os.environ, **env},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{args}:\n{done.stdout}"
    return done.stdout


def copy_sources(target):
    shutil.copytree(REPO, target, symlinks=True, ignore=shutil.ignore_patterns(
        ".git", "build", "build-*", "__pycache__"))
    return target


def product(build, pattern):
    """The one regular file that the pattern names."""
    found = [p for p in build.glob(pattern)
             if p.is_file() and not p.is_symlink()]
    assert len(found) == 1, (pattern, found)
    return found[0]


def build_release(source):
    run("meson", "setup", "-Dtests=false", "build/release", cwd=source)
    targets = [PRODUCTS["netpand"], PRODUCTS["netpan"], "lib/all"]
    listing = run("ninja", "-C", "build/release", "-t", "targets", "all",
                  cwd=source)
    shared = re.findall(r"^(lib/libfdpool\.so[^:]*): c_LINKER", listing, re.M)
    assert shared, listing
    targets[2:] = shared
    run("ninja", "-C", "build/release", *targets, cwd=source)
    return source / "build" / "release"


@pytest.mark.deadline(600)
def test_same_sources_same_bytes(tmp_path):
    """Two folders whose names differ in length too."""
    builds = []
    for place in "a", "a-longer-name/below":
        source = tmp_path / place / "netpan"
        source.parent.mkdir(parents=True, exist_ok=True)
        builds.append(build_release(copy_sources(source)))
    for name, pattern in PRODUCTS.items():
        one, two = (sha256(product(b, pattern)) for b in builds)
        assert one == two, f"{name} differs"
        content = product(builds[0], pattern).read_bytes()
        assert os.fsencode(tmp_path) not in content, f"{name} names its build"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """`make install PREFIX=/opt/netpan DESTDIR=...` of a fresh copy."""
    base = tmp_path_factory.mktemp("install")
    source = copy_sources(base / "netpan")
    run("make", "install", "PREFIX=/opt/netpan", f"DESTDIR={base}/root",
        cwd=source)
    return base / "root" / "opt" / "netpan"


def one(folder, pattern):
    found = list(folder.rglob(pattern))
    assert len(found) == 1, (pattern, found)
    return found[0]


@pytest.mark.deadline(600)
def test_install_is_whole(installed):
    for pattern in ("bin/netpan", "*bin/netpand", "include/fdpool.h",
                    "libfdpool.a", "libfdpool.so", "fdpool.pc",
                    "man8/netpand.8*", "man1/netpan.1*", "man3/fdpool.3*"):
        one(installed, pattern)
    outside = [p for p in installed.parents[1].rglob("*")
               if p.is_file() and installed not in p.parents]
    assert not outside, "installed outside of PREFIX"


@pytest.mark.deadline(600)
def test_installed_programs_run(installed):
    version = re.search(r"version: '([\d.]+)'",
                        (REPO / "meson.build").read_text())[1]
    for name in "netpan", "netpand":
        program = one(installed, f"*bin/{name}")
        assert version in run(program, "--version")
        run(program, "--help")


@pytest.mark.deadline(600)
def test_pkg_config_knows_the_library(installed):
    folder = one(installed, "fdpool.pc").parent
    said = run("pkg-config", "--cflags", "--libs", "fdpool",
               PKG_CONFIG_PATH=str(folder))
    assert "-I/opt/netpan/include" in said
    assert "-lfdpool" in said
    assert "-L/opt/netpan/lib" in said


@pytest.mark.deadline(600)
@pytest.mark.parametrize("name", ["*bin/netpan", "*bin/netpand",
                                  "libfdpool.so.*.*"])
def test_hardened_and_stripped(installed, name):
    path = one(installed, name)
    header = run("readelf", "-hW", path)
    segments = run("readelf", "-lW", path)
    dynamic = run("readelf", "-dW", path)
    symbols = run("readelf", "--dyn-syms", "-W", path)
    sections = run("readelf", "-SW", path)
    assert re.search(r"Type:\s+DYN", header), "not position-independent"
    assert re.search(r"GNU_STACK.*RW ", segments), "executable stack"
    assert "GNU_RELRO" in segments
    assert re.search(r"BIND_NOW|FLAGS.*NOW", dynamic), "lazy binding"
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    assert "__stack_chk_fail" in symbols, "no stack protector"
    assert ".debug_info" not in sections, "not stripped"


@pytest.mark.deadline(600)
def test_library_exports_its_header_only(installed):
    """Every name the shared library gives away is declared in fdpool.h."""
    library = one(installed, "libfdpool.so.*.*")
    header = one(installed, "fdpool.h").read_text()
    said = run("nm", "-D", "--defined-only", library)
    names = [name.partition("@")[0] for _, kind, name in
             map(str.split, said.splitlines())
             if kind != "A"]  # that one is the version itself
    assert names
    for name in names:
        assert re.search(rf"\b{name}\(", header), f"{name} is not in fdpool.h"


def test_no_leftovers_in_git():
    """Nothing that a build makes is in the repository."""
    if not (REPO / ".git").exists():
        pytest.skip("not a git work tree")
    files = run("git", "ls-files", cwd=REPO).splitlines()
    bad = [f for f in files if re.search(r"(^|/)(build|__pycache__)(/|$)|\.o$", f)]
    assert not bad


MAKE_MIME = REPO / "src" / "http" / "make_mime.py"

MIME_LIST = """\
# a comment\timage/png png
text/plain\t\t\ttxt ASC # asc
text/x-later\t\ttxt
image/PNG png\t
image/svg+xml svg
application/no-ending
application/two\t\ttar.gz a/b "x" \\ */ z\xe9
no-type\t\t\tnt
bad/"type\t\tbt
x/long\t\t\t{long}
""".format(long="l" * 31 + " " + "m" * 32)


def make_mime(tmp_path, content, **env):
    """What make_mime.py makes of this list: exit status, stderr, table."""
    listed, made = tmp_path / "mime.types", tmp_path / "mime_table.h"
    made.unlink(missing_ok=True)
    if content is not None:
        listed.write_bytes(content)
    done = subprocess.run(["/usr/bin/python3", MAKE_MIME, listed, made],
                          env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    return (done.returncode, done.stderr,
            made.read_text() if made.exists() else None)


def test_media_types_become_a_table(tmp_path):
    status, said, table = make_mime(tmp_path, MIME_LIST.encode())
    assert (status, said) == (0, "")
    texts = "".join(re.findall(r'^\t"(.*)"$', table, re.M)).split("\\0")
    rows = re.findall(r"^\t{ (\d+), (\d+), (\d) },", table, re.M)
    pool = "\0".join(texts)

    def text(at):
        return pool[int(at):].split("\0")[0]

    assert [(text(e), text(t), i) for e, t, i in rows] == [
        ("asc", "text/plain; charset=utf-8", "1"),
        ("l" * 31, "x/long", "0"),
        ("png", "image/png", "1"),
        ("svg", "image/svg+xml", "0"),
        ("txt", "text/plain; charset=utf-8", "1"),
    ]


def test_same_media_types_same_bytes(tmp_path):
    tables = {make_mime(tmp_path, MIME_LIST.encode(), PYTHONHASHSEED=seed,
                        LC_ALL=locale)[2]
              for seed, locale in [("1", "C"), ("2", "C.UTF-8"), ("3", "C")]}
    assert len(tables) == 1


@pytest.mark.parametrize("content, why", [
    (None, "the list of media types cannot be read: .*mime.types"),
    (b"", "is no list of media types"),
    (b"image/png png\n", "is no list of media types"),
    (b"text/plain txt \xff\n", "the list of media types cannot be read"),
])
def test_no_list_of_media_types_is_said(tmp_path, content, why):
    status, said, table = make_mime(tmp_path, content)
    assert status == 1 and re.search(why, said), said
    assert "Traceback" not in said and table is None
