"""A network of the run's own: nothing but a loopback, whose congestion
control is the run's to choose."""

import os
import subprocess
import sys

MARK = "NETPAN_BENCH_NETWORK"
LOOPBACK = ["local", "127.0.0.1", "dev", "lo", "table", "local", "proto",
            "kernel", "scope", "host", "src", "127.0.0.1"]
SYSTEM = "system"


def enter():
    """Starts this program again, in a network namespace of its own.

    What is changed there ends with the last of its processes, however they
    end; the machine's network is as it was all the time.
    """
    if MARK in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ[MARK] = "1"
    rights = [] if os.geteuid() == 0 else ["--map-current-user",
                                           "--keep-caps"]
    os.execvp("unshare", ["unshare", "--net", *rights, "--",
                          sys.executable, "-B", *sys.argv])


def set_congestion(name):
    """For every connection that begins from now on, of whichever server; of
    nginx, lighttpd and h2o there is no other way to set it.

    By the route and not by the namespace's sysctl, which refuses what is not
    in tcp_allowed_congestion_control.
    """
    words = [] if name == SYSTEM else ["congctl", name]
    subprocess.run(["ip", "route", "change", *LOOPBACK, *words], check=True)
