#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the model of the MFA conversation through Spin: `make model`.

Prints for each run how many states were explored and whether the properties hold. Runs with a
planted fault must find it; a fault that is not found is a failure, as is a property that does not
hold without one.

    usage: run.py [--whole] [--only TEXT]
      --whole   also the runs that take many minutes and gigabytes
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).resolve().parent / "conversation.pml"
MEMORY = 12000  # megabytes of one run, at most
DEPTH = 400000
HASH = "-w25"
SMALL = ("WITHOUT_PASSCODES",)

# name, what is defined, whether an assertion must fail, and which: a word of it
RUNS = [
    ("two sign-ons", (), ""),
    ("two sign-ons behind States, pushes alone", ("WITH_STATES", *SMALL), ""),
    ("FAULT: a State stays in the store", ("FAULT_STATE_KEPT", "WITH_STATES", *SMALL), "taken"),
    ("FAULT: any sign-on joins a push", ("FAULT_JOIN_ANY",), "allowed"),
    ("FAULT: a push is claimed whether there is one or not", ("FAULT_CLAIM_BLIND",), "may_let_in"),
    ("FAULT: a record is written whatever it has become",
     ("FAULT_WRITE_BLIND", "WITH_RETRANSMIT", "CRASHES=0", *SMALL), "may_let_in"),
    ("FAULT: an approved push lets another sign-on in", ("FAULT_APPROVED_AGAIN",), "allowed"),
    ("FAULT: who joined a push takes whatever record is there",
     ("FAULT_JOINED_UNCHECKED", "WITH_RETRANSMIT", "CRASHES=0", *SMALL), "allowed"),
    ("FAULT: a push is sent past the deadline", ("FAULT_SENT_LATE",), "may_let_in"),
]
WHOLE = [
    ("one of them sent again, pushes alone, no restart",
     ("WITH_RETRANSMIT", "CRASHES=0", *SMALL), ""),
    ("two sign-ons behind States", ("WITH_STATES",), ""),
    ("one of them sent again", ("WITH_RETRANSMIT",), ""),
]
PROPERTIES = {"allowed": "approval", "may_let_in": "one push", "taken": "one use of a State"}


def build(directory, defines):
    """A checker for the model with these."""
    flags = [f"-D{one}" for one in defines]
    done = subprocess.run(["spin", *flags, "-a", str(MODEL)], cwd=directory, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0 or not os.path.exists(directory + "/pan.c"):
        sys.exit(f"spin: {done.stdout}{done.stderr}")
    subprocess.run([os.environ.get("CC", "gcc").split()[-1], "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
                    f"-DMEMLIM={MEMORY}", "-o", "pan", "pan.c"], cwd=directory, check=True)


def check(directory):
    """The report, and which lines of the model were not reached."""
    return subprocess.run(["./pan", f"-m{DEPTH}", HASH], cwd=directory, capture_output=True,
                          text=True, check=False).stdout


def run(name, defines, fails):
    """False when it is not as it must be."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        build(directory, defines)
        report = check(directory)
    errors = re.search(r"errors: (\d+)", report)
    states = re.search(r"(\d+) states, stored", report)
    broken = re.search(r"assertion violated (.*)", report)
    whole = "Search not completed" not in report and "max search depth too small" not in report
    if errors is None or states is None:
        print(f"FAILED  {name}: no result\n{report}")
        return False
    found = next((p for word, p in PROPERTIES.items() if broken and word in broken.group(1)), "")
    if fails:
        good = bool(broken) and fails in broken.group(1)
        what = f"found: \"{found}\" does not hold" if good else "NOT FOUND"
    else:
        good = errors.group(1) == "0" and whole
        what = ", ".join(PROPERTIES.values()) + " hold" if good else \
            f"DOES NOT HOLD: {found or report[:400]}"
    print(f"{'ok' if good else 'FAILED':7} {name}: {what}; {int(states.group(1)):,} states, "
          f"{time.monotonic() - started:.0f} s", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    runs = [one for one in RUNS + (WHOLE if given.whole else []) if given.only in one[0]]
    results = [run(*one) for one in runs]
    print(f"model: {len(results)} runs, {results.count(False)} not as they must be")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
