"""The manual says what the programs do: every option, every limit."""

import re
import subprocess

import pytest

from netpan_harness import NETPAN, NETPAND, REPO, Netpand, wait_for

pytestmark = pytest.mark.once

MAN = REPO / "man"
PROGRAMS = {"netpand": (NETPAND, "netpand.8"), "netpan": (NETPAN, "netpan.1")}
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[A-Za-z0-9])(?![\w-])")
LIMIT = re.compile(r'^\s*X\((\w+), (\d+), "([^"]+)",\s*(?:\\\s*)?"([^"]+)"\)',
                   re.M)


def page_source(name):
    path = MAN / name
    assert path.exists(), f"man/{name} is missing"
    return path.read_text()


def page_text(name):
    """The page as a reader sees it, in lines too wide to be broken."""
    page_source(name)
    said = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=500", MAN / name],
        stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return re.sub(".\b", "", said.stdout.decode())


def help_text(program):
    done = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{program} --help: {done.returncode}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_option_of_help_is_in_the_page(name):
    program, page = PROGRAMS[name]
    options = set(OPTION.findall(help_text(program)))
    assert options, f"{name} --help names no option"
    missing = options - set(OPTION.findall(page_text(page)))
    assert not missing, f"man/{page} is silent about {sorted(missing)}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_option_of_the_page_is_in_help(name):
    program, page = PROGRAMS[name]
    items = re.findall(r"^\.It Fl (\S+)", page_source(page), re.M)
    assert items, f"man/{page} has no list of options (.It Fl ...)"
    missing = {f"-{item}" for item in items} - set(
        OPTION.findall(help_text(program)))
    assert not missing, f"{name} --help is silent about {sorted(missing)}"


def limits():
    text = (REPO / "src" / "base" / "limits.h").read_text()
    found = LIMIT.findall(text)
    assert len(found) == len(re.findall(r"^\s*X\(\w+, \d", text, re.M))
    return found


@pytest.mark.parametrize("limit", limits(), ids=lambda limit: limit[0])
def test_each_limit_is_in_a_page(limit):
    """Its meaning and its value stand in one line of netpand.8 or netpan.1."""
    name, value, unit, meaning = limit
    for page in "netpand.8", "netpan.1":
        for line in page_text(page).splitlines():
            words = " ".join(line.split())
            if meaning in words and re.search(
                    rf"\b{value} {re.escape(unit)}(?!\w)", words):
                return
    pytest.fail(f"no page lists LIM_{name}; a row for its table of limits:\n"
                f".It {meaning} Ta {value} {unit}")


@pytest.mark.parametrize("page", ["netpand.8", "netpan.1", "fdpool.3"])
def test_page_is_well_formed(page):
    page_source(page)
    said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / page],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    assert said.returncode == 0, said.stdout


MARKDOWN = sorted(str(p.relative_to(REPO)) for p in REPO.rglob("*.md")
                  if "build" not in p.relative_to(REPO).parts)


def test_there_are_texts():
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/design.md",
            "docs/dependencies.md", "docs/protocol.md"} <= set(MARKDOWN)


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name):
    """Every relative link and picture of our own texts exists."""
    path = REPO / name
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", link):
            target = path.parent / link.partition("#")[0]
            assert target.exists(), f"{name} links to {link}"


def test_readme_shows_what_netpand_says(tmp_path):
    """The first look has what a start prints, line by line."""
    said = re.compile(r"listening on .*\n((.*\n)*?.*get -r .*\n)")
    with Netpand(tmp_path, workers=1) as server:
        found = wait_for(lambda: said.search(server.log()), "all is said")
        shown = found[1].replace(str(tmp_path), "build/sample")
        shown = shown.replace(str(server.port), "8686")
    assert shown in (REPO / "README.md").read_text()


def test_readme_words_are_words_of_make():
    """Each `make word` of the README, CONTRIBUTING and CI is a target."""
    makefile = (REPO / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.M))
    helped = set(re.findall(r"'make ([a-z]+)", makefile))
    assert helped and helped <= targets
    for name in "README.md", "CONTRIBUTING.md", ".ci/run":
        text = (REPO / name).read_text()
        words = set(re.findall(r"(?:^(?: {4}|\t|\$ )|`|\bone \w+ \d+ )make ([a-z]+)",
                               text, re.M))
        assert words <= targets | {"werror"}, f"{name}: {words - targets}"
