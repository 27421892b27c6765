"""Fixtures and the hang guard of the system tests."""

import signal

import pytest

import netpan_harness
from netpan_harness import Netpand, make_tree


def pytest_collection_modifyitems(config, items):
    """Slow tests are left out unless they are asked for."""
    if "slow" in config.getoption("markexpr"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if item not in slow]
    config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, and says where it was."""
    marker = item.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else 120

    def expired(signum, frame):
        pytest.fail(f"hangs: not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_report_header():
    build = netpan_harness.BUILD
    kind = "ASan" if netpan_harness.is_sanitized() else "plain"
    return f"netpan: {build} ({kind})"


@pytest.fixture
def tree(tmp_path):
    """A tree of files to serve; the same one each time."""
    return make_tree(tmp_path / "served")


@pytest.fixture
def netpand(tree):
    """A netpand with two workers that serves `tree`."""
    with Netpand(tree) as server:
        yield server
