# SPDX-License-Identifier: GPL-2.0-or-later
# Which real programs were tried against devtrust, in which situation, and how that ended. A test
# fills a cell by its mark; the run's end prints the table (`make matrix`).
"""The matrix of programs and cases."""

from __future__ import annotations

import collections
import os
from typing import Any, Iterable

import pytest

# A device that is trusted; one that is not, of somebody who approves the push, types a passcode,
# or denies; and what one can rely on when a part of the way is broken.
CASES = ("trusted", "push", "passcode", "denied", "okta down", "daemon down")

# What no test of this suite can run, and why: it stands below the table.
CANNOT_RUN: dict[tuple[str, str], str] = {}

COLUMN = len("skipped")
WHOLE = os.environ.get("DEVTRUST_MATRIX") == "whole"


def cell(door: str, program: str, case: str, whole: bool = False) -> pytest.MarkDecorator:
    """The mark of a test that tries `program` at `door` ("radius" or "pam") in `case`: one of CASES
    or another word, which gets a column of its own. A cell that only the whole matrix has (`whole`)
    is not part of `make check`."""
    return pytest.mark.matrix(door, program, case, whole)


def cells_of(item: pytest.Item) -> list[tuple[str, str, str, bool]]:
    """The cells that a test fills."""
    return [mark.args for mark in item.iter_markers("matrix")]


def leave_out(item: pytest.Item) -> bool:
    """Whether a test waits for the whole matrix."""
    marks = cells_of(item)
    return bool(marks) and all(whole for _, _, _, whole in marks) and not WHOLE


class Table:
    """Collects the outcomes of a run. Several tests of one cell: the worst counts."""

    WORDS = ("-", "ok", "skipped", "FAILED")

    def __init__(self) -> None:
        self.outcome: dict[tuple[str, str, str], int] = {}
        self.notes: dict[tuple[str, str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes what pytest reports of one phase of a test, whichever process ran it."""
        cells = [value for name, value in report.user_properties if name == "matrix"]
        if report.passed and report.when != "call":
            return
        worst = {"passed": 1, "skipped": 2}.get(report.outcome, 3)
        for door, program, case in map(tuple, cells):
            key = (door, program, case)
            self.outcome[key] = max(worst, self.outcome.get(key, 0))
            if worst > 1 and key not in self.notes:
                self.notes[key] = reason_of(report)

    def lines(self) -> Iterable[str]:
        """The table, a line for each program, and what does not work below it."""
        by_program: dict[tuple[str, str], dict[str, int]] = collections.defaultdict(dict)
        for (door, program, case), worst in self.outcome.items():
            by_program[door, program][case] = worst
        others = sorted({case for _, _, case in self.outcome} - set(CASES))
        cases = [case.ljust(COLUMN) for case in (*CASES, *others)]
        width = max((len(program) for _, program in by_program), default=0)
        yield "door    " + "program".ljust(width) + "".join("  " + case for case in cases)
        for (door, program), row in sorted(by_program.items()):
            words = (self.WORDS[row.get(case.rstrip(), 0)].ljust(len(case)) for case in cases)
            yield f"{door:6}  {program:{width}}" + "".join("  " + word for word in words)
        for (door, program, case), note in sorted(self.notes.items()):
            yield f"{door}, {program}, {case}: {note}"
        for (door, program), why in sorted(CANNOT_RUN.items()):
            yield f"{door}, {program}: cannot run here: {why}"


def reason_of(report: Any) -> str:
    """One line that says why a test failed or was skipped."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
    return f"{report.nodeid}: {lines[0][2:].strip() if lines else 'failed'}"
