"""The servers that are measured, each started on the same terms."""

import os
import shutil
import string
import subprocess

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS = 12000  # that a server must be able to hold
CONGESTION = "cubic"  # what netpand and the floor set by themselves

NAMES = {
    "netpan": "netpan",
    "nginx": "nginx",
    "nginx-cache": "nginx, open_file_cache",
    "nginx-threads": "nginx, aio threads",
    "lighttpd": "lighttpd",
    "h2o": "h2o",
    "floor": "the floor",
}
PEERS = ["nginx", "nginx-cache", "lighttpd", "h2o"]
ALL = ["netpan", *PEERS, "floor"]
PROGRAMS = {"nginx": "nginx", "nginx-cache": "nginx",
            "nginx-threads": "nginx", "lighttpd": "lighttpd", "h2o": "h2o"}
# The cache has room for the files of one scenario; with room for those of all
# nginx would come to its limit of descriptors.
NGINX_MORE = {
    "nginx": "",
    "nginx-cache": "open_file_cache max=12000 inactive=10m;",
    "nginx-threads": "aio threads;",
}


class Setup:
    """How a server is started: its workers, all on processor 0 or on any,
    and the congestion control of the network."""

    def __init__(self, workers, pinned=False, congestion=CONGESTION):
        self.workers = workers
        self.pinned = pinned
        self.congestion = congestion


def is_there(name, build):
    return find(name, build) is not None


def find(name, build):
    """The program of a server, or None."""
    ours = {"netpan": ("src", "server", "netpand"),
            "floor": ("bench", "bench-floor")}
    if name in ours:
        return shutil.which(os.path.join(build, *ours[name]))
    # Where Debian has servers is not in everybody's PATH.
    return shutil.which(PROGRAMS[name],
                        path=os.environ["PATH"] + ":/usr/sbin")


def start(name, setup, build, files, state):
    """state is a folder for what the server writes."""
    port, = measure.free_ports(1)
    command = command_of(name, setup, build, files, state, port)
    if setup.pinned:
        command = ["taskset", "-c", "0", *command]
    kind = measure.Daemon if name == "netpan" else measure.Server
    if name == "floor":
        return kind(command)
    log_path = os.path.join(state, "log")
    with open(log_path, "wb") as log:
        server = kind(command, port=port, stdout=log, stderr=log)
    try:
        measure.wait_for_port(port)
    except OSError:
        server.stop()
        with open(log_path) as log:
            raise RuntimeError("it does not listen: " + log.read()) from None
    return server


def command_of(name, setup, build, files, state, port):
    path = find(name, build)
    if name == "netpan":
        return netpand(path, setup, files, state, port)
    if name == "floor":
        return [path, files.root, files.list_of_all(), CONGESTION,
                str(setup.workers)]
    program = PROGRAMS[name]
    conf = write_conf(program, state, {
        "port": port,
        "root": files.root,
        "state": state,
        "workers": setup.workers,
        "processes": setup.workers if setup.workers > 1 else 0,
        "connections": CONNECTIONS,
        # Of root h2o makes nobody, who may not reach the files.
        "h2o_user": "user: root" if os.geteuid() == 0 else "",
        "more": NGINX_MORE.get(name, ""),
    })
    return {
        "nginx": [path, "-c", conf, "-p", state],
        "lighttpd": [path, "-D", "-f", conf],
        "h2o": [path, "-c", conf],
    }[program]


def netpand(path, setup, files, state, port):
    """What rests or stalls must not be hung up on, as with the others."""
    return [path,
            "--log-level", "warning",
            "--workers", str(setup.workers),
            "--slots", str(CONNECTIONS // 2),
            "--idle-timeout", "3600",
            "--min-rate", "0",
            "--drain-limit", "0",
            "--congestion", CONGESTION,
            "--control", os.path.join(state, "control"),
            "--listen", "127.0.0.1:%d" % port,
            files.root]


def write_conf(program, state, values):
    with open(os.path.join(HERE, "peers", program + ".conf")) as f:
        text = string.Template(f.read()).substitute(values)
    path = os.path.join(state, program + ".conf")
    with open(path, "w") as f:
        f.write(text)
    return path


def version(name, build):
    """What the program says of itself."""
    if name == "floor":
        return "bench-floor"
    option = "--version" if name == "netpan" else "-v"
    done = subprocess.run([find(name, build), option], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return (done.stdout.splitlines() or ["unknown"])[0]
