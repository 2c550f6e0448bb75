# SPDX-License-Identifier: GPL-2.0-or-later
# How the demo tells its story: plain sentences, commands, what the person saw, audit events, and a
# table at the end. Colour is for terminals only; everything that came from a program is escaped.
"""The demo's voice."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from dataclasses import dataclass
from typing import Iterable

WIDTH = 100
COLOURS = {"title": "1;36", "command": "33", "screen": "36", "audit": "35", "good": "32",
           "bad": "1;31", "dim": "2"}


@dataclass
class Row:
    """One line of the table at the end."""

    step: str
    expected: str
    got: str
    seconds: float
    good: bool


def printable(text: str) -> str:
    """Without control characters: what programs print must not steer this terminal."""
    return "".join(c if c.isprintable() else "?" for c in text.replace("\t", " "))


class Narrator:
    """Prints as it goes, so that a person can follow."""

    def __init__(self) -> None:
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def paint(self, kind: str, text: str) -> str:
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m" if self.coloured else text

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def title(self, text: str) -> None:
        self.line()
        self.line(self.paint("title", text))

    def say(self, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - 3):
            self.line("   " + line)

    def command(self, words: Iterable[str]) -> None:
        self.line("   " + self.paint("command", "$ " + printable(shlex.join(words))))

    def screen(self, text: str) -> None:
        """What a program showed, line by line."""
        for line in text.replace("\r", "").splitlines():
            if line.strip():
                for part in textwrap.wrap(printable(line), WIDTH - 5):
                    self.line(self.paint("dim", "   | ") + self.paint("screen", part))

    def audit(self, line: str) -> None:
        self.line(self.paint("dim", "   audit ") + self.paint("audit", printable(line)))

    def good(self, text: str) -> None:
        self.line("   " + self.paint("good", "ok ") + printable(text))

    def bad(self, text: str) -> None:
        for line in text.splitlines() or ["failed"]:
            self.line("   " + self.paint("bad", "NOT AS TOLD ") + printable(line))

    def table(self, rows: list[Row]) -> None:
        """step, expected, got, seconds."""
        heads = ("step", "expected", "got")
        cells = [(printable(r.step), printable(r.expected), printable(r.got)) for r in rows]
        widths = [max(len(c[i]) for c in [heads, *cells]) for i in range(3)]
        self.line()
        self.line("  ".join(h.ljust(w) for h, w in zip(heads, widths)) + "  seconds")
        for row, cell in zip(rows, cells):
            text = "  ".join(c.ljust(w) for c, w in zip(cell, widths)) + f"  {row.seconds:7.2f}"
            self.line(self.paint("good" if row.good else "bad", text))
        self.line(f"{sum(r.good for r in rows)} of {len(rows)} steps went as told, "
                  f"{sum(r.seconds for r in rows):.1f} s in all.")
