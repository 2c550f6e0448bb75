# SPDX-License-Identifier: GPL-2.0-or-later
# Ports for servers under test that cannot choose one themselves. The kernel gives clients ports
# from 32768 upwards; a server's is taken from below, so that no client gets it before the server
# starts.
"""Free ports of the loopback."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import socket

LOWEST, HIGHEST = 20000, 32767
ATTEMPTS = 200
SHARES = 16
# The last ones given, which a server may yet have to bind: no other server gets them meanwhile.
_given: collections.deque[int] = collections.deque(maxlen=64)


def share() -> range:
    """The ports of this process of the test run: those that run beside it take others, so that a
    port which was free when it was looked at is not another server's by the time it is bound."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    ports = range(LOWEST, HIGHEST + 1)
    if not worker:
        return ports
    size = len(ports) // SHARES
    first = int(worker) % SHARES * size
    return ports[first:first + size]


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of the loopback that nobody uses now."""
    for port in random.sample(share(), ATTEMPTS):
        if port in _given:
            continue
        with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _given.append(port)
                return port
    raise AssertionError(f"no port from {LOWEST} to {HIGHEST} is free")
