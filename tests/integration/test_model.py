# SPDX-License-Identifier: GPL-2.0-or-later
# The model of the MFA conversation (tests/model) against the code: the same phases, and the same
# moves between them. That the properties of the model hold, `make model` checks.
"""Tests of the model's likeness."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model import moves

MODEL = Path(moves.__file__).resolve().parent
TEXT = (MODEL / "conversation.pml").read_text()
KINDS = ("model", "before", "outside")


class Table:
    """table.txt."""

    def __init__(self, text: str) -> None:
        self.phases: dict[str, str] = {}
        self.moves: set[tuple[str, str]] = set()
        self.never: set[tuple[str, str]] = set()
        for line in text.splitlines():
            words = line.split(":")[0].split()
            if not words or line.startswith("#"):
                continue
            if words[0] in KINDS:
                self.phases[words[1]] = words[0]
            elif words[0] == "move":
                self.moves.add((words[1], words[2]))
            else:
                assert words[0] == "never" and line.split(": ")[1], line
                self.never.add((words[1], words[2]))

    def of(self, kind: str) -> set[str]:
        return {phase for phase, is_of in self.phases.items() if is_of == kind}


@pytest.fixture(scope="module")
def table() -> Table:
    return Table((MODEL / "table.txt").read_text())


@pytest.fixture(scope="module")
def machine() -> moves.Machine:
    return moves.Machine()


def test_every_phase_of_the_code_is_in_the_table(table: Table, machine: moves.Machine) -> None:
    assert set(table.phases) == moves.phases()
    # These two have rows of one line, without a part: the machine's own.
    assert {name.upper() for name in machine.rows} | {"RETRY_WAIT", "DONE"} == moves.phases()
    assert machine.conversation() <= table.of("model") | table.of("before")


def test_the_moves_of_the_code_are_those_of_the_table(table: Table,
                                                      machine: moves.Machine) -> None:
    """Neither a new move, nor one that is gone, nor a reason for one that is gone."""
    modelled = table.of("model") | {"FINISH"}
    code = {(source, into) for source, all_into in machine.moves().items() for into in all_into
            if source in modelled and into in modelled}
    assert code - table.moves - table.never == set(), "the model does not know these"
    assert (table.moves | table.never) - code == set(), "the code does not make these"
    assert not table.moves & table.never


def test_the_model_has_the_moves_of_the_table(table: Table) -> None:
    made = set(re.findall(r"\bGO\(([A-Z_]+), ([A-Z_]+)\)", TEXT))
    assert made == table.moves
    labels = set(re.findall(r"^([A-Z_]+):", TEXT, re.M))
    assert labels == table.of("model") | {"FINISH"}


def test_a_new_move_would_be_seen(table: Table, machine: moves.Machine,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of the sources looks into what a handler calls, and at each phase that it sets."""
    key = machine.find("factor_push.c", "push_under_way")
    monkeypatch.setitem(machine.bodies, key, machine.bodies[key]
                        + "dt_signon_set_phase(s, x ? DT_PHASE_SEND_HTTP : DT_PHASE_SEND_COUNT);")
    assert ("SEND_HTTP" in machine.moves()["PUSH_CLAIM"]
            and ("PUSH_CLAIM", "SEND_HTTP") not in table.moves | table.never)


def test_a_new_move_of_a_factor_would_be_seen(machine: moves.Machine, table: Table,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks behind the members of a factor's row, too."""
    key = machine.find("factor_push.c", "enter")
    monkeypatch.setitem(machine.bodies, key,
                        machine.bodies[key] + "dt_signon_set_phase(s, DT_PHASE_SEND_HTTP);")
    assert ("SEND_HTTP" in machine.moves()["POLL_WAIT"]
            and ("POLL_WAIT", "SEND_HTTP") not in table.moves | table.never)


@pytest.mark.skipif(shutil.which("spin") is None, reason="needs spin: scripts/deps.sh model")
def test_a_planted_fault_is_found() -> None:
    done = subprocess.run([sys.executable, str(MODEL / "run.py"), "--only", "any sign-on joins"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and "found" in done.stdout, done
