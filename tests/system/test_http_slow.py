"""Clients that are slow, or do not read at all."""

import contextlib
import threading
import time

from http_client import Http
from netpan_harness import Netpand, wait_for

# Whatever waits for a client to speak never ends with these.
PATIENT = ("--hello-timeout", "600", "--request-timeout", "600",
           "--idle-timeout", "600")
# An answer from memory, of some kilobytes.
PAGE = "/@/metrics"


def request(path, *lines):
    head = [f"GET {path} HTTP/1.1", "Host: x", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


@contextlib.contextmanager
def asking(port, data):
    """A connection that takes little before it is read from, and on which
    that is sent, as far as it can be."""
    def send():
        with contextlib.suppress(OSError):
            http.send(data)

    with Http(port, receive_buffer=4096) as http:
        sender = threading.Thread(target=send)
        sender.start()
        yield http
    sender.join()


def test_small_answers_that_nobody_reads_are_held_to_the_rate(tree):
    strict = ("--rate-window", "1", "--min-rate", "1024")
    with Netpand(tree, *PATIENT, *strict, workers=1) as server:
        for last in (b"", request(PAGE, "Connection: close")):
            with asking(server.port, request(PAGE) * 1000 + last):
                wait_for(lambda: "too slow in state" in server.log(),
                         "who does not read is closed")
                wait_for(lambda: server.status()["total"]["held"] == 0,
                         "its place is free")


def test_the_last_answers_are_not_cut_from_a_steady_reader(tree):
    """What it is held to is the rate, not the time that it may take to say
    something, nor that to hang up."""
    impatient = ("--request-timeout", "1", "--idle-timeout", "1")
    n = 1200
    asked = request(PAGE) * n + request(PAGE, "Connection: close")
    with Netpand(tree, *impatient, workers=1) as server:
        with asking(server.port, asked) as http:
            for i in range(n + 1):
                # while the last of it finds no room in the socket
                if n - 750 < i < n - 600:
                    time.sleep(0.04)
                assert http.reply().status == 200
            assert http.is_closed()
