# SPDX-License-Identifier: GPL-2.0-or-later
# Reads metrics as their readers do: from the socket by HTTP or without it, and from the file.
"""Metrics of a running devtrust."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Optional, Union

SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\} ([0-9.]+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')

Series = tuple[str, frozenset[tuple[str, str]]]


def connect(path: Union[str, Path], timeout: float = 20.0) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(timeout)
    try:
        client.connect(str(path))
    except BaseException:
        client.close()
        raise
    return client


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def get(path: Union[str, Path], request: bytes = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        ) -> tuple[str, str, str]:
    """Status line, head and body of an answer by HTTP."""
    with connect(path) as client:
        client.sendall(request)
        head, _, body = read_all(client).decode().partition("\r\n\r\n")
    status, _, rest = head.partition("\r\n")
    return status, rest, body


def parse(text: str) -> dict[Series, float]:
    """Every sample; a line of another form fails."""
    found: dict[Series, float] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        series = (match[1], frozenset(LABEL.findall(match[2])))
        assert series not in found, line
        found[series] = float(match[3])
    return found


class Numbers:
    """What was read at one time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all = parse(text)

    def get(self, name: str, **labels: str) -> Optional[float]:
        """The sum of all series with these labels; None when there are none."""
        wanted = set(labels.items())
        values = [v for (n, have), v in self.all.items() if n == name and wanted <= have]
        return sum(values) if values else None

    def names(self) -> set[str]:
        """The names of families, as HELP lines have them, counters with _total."""
        counters = set(re.findall(r"^# TYPE (\S+) counter$", self.text, re.MULTILINE))
        infos = set(re.findall(r"^# TYPE (\S+) info$", self.text, re.MULTILINE))
        families = re.findall(r"^# TYPE (\S+) ", self.text, re.MULTILINE)
        return {n + "_total" if n in counters and not n.endswith("_total")
                else n + "_info" if n in infos else n for n in families}


def from_socket(path: Union[str, Path]) -> Numbers:
    status, head, body = get(path)
    assert status == "HTTP/1.1 200 OK" and "openmetrics-text" in head
    assert body.endswith("\n# EOF\n")
    return Numbers(body)
