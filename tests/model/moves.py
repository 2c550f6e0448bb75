# SPDX-License-Identifier: GPL-2.0-or-later
# Reads the phases and moves of the sign-on machine from its sources, for the comparison with the
# model.
"""The phases of the conversation, and from which to which the code can move."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "common" / "core" / "signon"
# The phases of these parts are the conversation: what the model is of.
PARTS = ("DT_PART_MFA", "DT_PART_END")
# Where the walk from a phase ends: what happens then is one move, whoever makes it.
ENDS = {"dt_signon_finish": "FINISH", "dt_signon_finish_stage": "FINISH",
        "dt_signon_retry": "RETRY_WAIT"}
# The wait for a person also ends with an answer.
ANSWERED = {phase: ["dt_signon_answered"]
            for phase in ("PUSH_OFFER", "POLL_WAIT", "ANSWER_WAIT")}
# Ways out of the conversation, or ones that no phase of it takes: who the person is, what is
# remembered, whether to go by Okta being unavailable (which ends in FINISH or asks nobody).
OUTSIDE = {"dt_signon_decision_stage", "dt_signon_device_user_failed",
           "dt_signon_remembered_unavailable", "dt_signon_done"}

FUNCTION = re.compile(r"^(?:static |extern )?(?:[A-Za-z_]\w*[ *]+)+(\w+)\([^;{}]*\)\n\{\n(.*?)^\}",
                      re.M | re.S)
ROW = re.compile(r"^dt_phase_row const dt_row_(\w+) = \{(.*?)^\};", re.M | re.S)
GO = re.compile(r"dt_signon_go\(s, ([^;]*)\);", re.S)
SET = re.compile(r"dt_signon_set_phase\(s,([^;]*)\);|->phase = ([^;]*);", re.S)
# What a factor does is in its row: conversation.c and answer.c call it by the name of the member.
FACTOR = re.compile(r"^dt_factor const dt_factor_\w+ = \{(.*?)^\};", re.M | re.S)
MEMBER = re.compile(r"\.(\w+) = ([a-z]\w+)")
CALLED = re.compile(r"->(\w+)\(")
HANDLER = re.compile(r"\.(?:store|http|sign|managed|agent|time)_done = (\w+)")
LOADED = re.compile(r"\.loaded = (\w+)")


def phases() -> set[str]:
    """All phases that there are: the list in signon_internal.h."""
    text = (SOURCES / "signon_internal.h").read_text()
    listed = re.search(r"#define DT_PHASES\(X\)(.*?)\n\n", text, re.S)
    assert listed, "signon_internal.h has no DT_PHASES"
    return set(re.findall(r"X\((\w+), \w+\)", listed.group(1)))


class Machine:
    """Functions that are called by name, and the phases that they set."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}  # of a static function under "FILE:NAME"
        self.rows: dict[str, tuple[str, str]] = {}  # file, text
        self.factors: dict[str, list[tuple[str, str]]] = {}  # member: file, function
        for path in sorted(SOURCES.glob("*.c")):
            text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
            text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
            for found in FUNCTION.finditer(text):
                static = found.group(0).startswith("static ")
                self.bodies[f"{path.name}:{found[1]}" if static else found[1]] = found[2]
            self.rows.update({name: (path.name, row) for name, row in ROW.findall(text)})
            for row in FACTOR.findall(text):
                for member, function in MEMBER.findall(row):
                    self.factors.setdefault(member, []).append((path.name, function))

    def find(self, file: str, name: str) -> str:
        """The key of the function that a file calls so; "" for one of another part."""
        local = f"{file}:{name}"
        return local if local in self.bodies else name if name in self.bodies else ""

    def conversation(self) -> set[str]:
        """The phases of the conversation's parts."""
        return {name.upper() for name, (_, row) in self.rows.items()
                if any(f".part = {part}," in row for part in PARTS)}

    def targets(self, file: str, function: str) -> set[str]:
        """Phases that may come of it."""
        seen: set[str] = set()
        found: set[str] = set()
        todo = [(file, function)]
        while todo:
            file, name = todo.pop()
            key = self.find(file, name)
            if key in seen or name in OUTSIDE or key == "":
                continue
            seen.add(key)
            if name in ENDS and name != function:
                found.add(ENDS[name])
                continue
            found |= self.sets(key)
            file = key.split(":")[0] if ":" in key else self.file_of(name)
            todo += [by for member in CALLED.findall(self.bodies[key])
                     for by in self.factors.get(member, [])]
            todo += [(file, word) for word in re.findall(r"\b[a-z]\w+\b", self.bodies[key])]
            todo += [(file, f"dt_signon_{stage.lower()}_stage")  # which the loop enters
                     for one in GO.findall(self.bodies[key])
                     for stage in re.findall(r"DT_STAGE_(\w+)", one)]
        return found

    def file_of(self, name: str) -> str:
        """Where a function that is not static is."""
        for path in SOURCES.glob("*.c"):
            if re.search(rf"^(?!static)[^\n]*\b{name}\([^;]*?\)\n\{{", path.read_text(), re.M):
                return path.name
        return ""

    def sets(self, key: str) -> set[str]:
        """Phases that a function sets itself."""
        return {phase for one in SET.findall(self.bodies[key])
                for phase in re.findall(r"DT_PHASE_(\w+)", " ".join(one))}

    def moves(self) -> dict[str, set[str]]:
        """Of each phase of the conversation: where it goes from there. FINISH stands for the choice
        of what is still to be done once the outcome is known."""
        made: dict[str, set[str]] = {}
        for name, (file, row) in self.rows.items():
            phase = name.upper()
            if phase not in self.conversation():
                continue
            handlers = HANDLER.findall(row) + LOADED.findall(row) + ANSWERED.get(phase, [])
            assert handlers, f"the row of {phase} has no handler"
            made[phase] = set().union(*(self.targets(file, h) for h in handlers)) - {phase}
        made["FINISH"] = self.targets("signon_end.c", "dt_signon_finish_stage") | {"DONE"}
        made["RETRY_WAIT"] = {name.upper() for name, (_, row) in self.rows.items()
                              if ".retried = true" in row} & self.conversation() | {"FINISH"}
        return made


if __name__ == "__main__":
    for source, into in sorted(Machine().moves().items()):
        print(f"{source}: {' '.join(sorted(into))}")
