# SPDX-License-Identifier: GPL-2.0-or-later
# Ports for servers under test that cannot choose one themselves. The kernel gives clients ports
# from 32768 upwards; a server's is taken from below, so that no client gets it before the server
# starts.
"""Free ports of the loopback."""

from __future__ import annotations

import contextlib
import random
import socket

LOWEST, HIGHEST = 20000, 32767
ATTEMPTS = 200


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of the loopback that nobody uses now."""
    for port in random.sample(range(LOWEST, HIGHEST + 1), ATTEMPTS):
        with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError(f"no port from {LOWEST} to {HIGHEST} is free")
