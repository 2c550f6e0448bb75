# SPDX-License-Identifier: GPL-2.0-or-later
# An SSH agent that does not do what it should, run as whatever user owns it.
"""fake_agent.py SOCKET MANNER LOG; silent, nonsense, endless or gone; LOG gets its connections."""

from __future__ import annotations

import os
import socket
import sys


def answer(manner: str, line: socket.socket) -> None:
    """To the first message of a connection."""
    line.recv(4096)
    if manner == "nonsense":
        line.sendall(bytes([0, 0, 0, 5, 12, 0, 0, 0, 9]))
    elif manner == "endless":
        line.sendall(b"\xff" * 65536)
    if manner != "gone":
        line.recv(1)  # until the other side hangs up


def main() -> None:
    path, manner, log = sys.argv[1:]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    os.chmod(path, 0o777)
    listening.listen(8)
    with open(log, "a", encoding="ascii") as lines:
        print("listening", file=lines, flush=True)
        while True:
            line, _ = listening.accept()
            print("connection", file=lines, flush=True)
            with line:
                try:
                    answer(manner, line)
                except OSError:
                    pass


if __name__ == "__main__":
    main()
