#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Removes the checks that protect a login, one at a time, and sees whether a test notices.

The list is tests/mutants/*.mutants. Each mutant changes one line of a copy of the tree, builds what
its tests need, and runs them until one fails. A mutant that no test notices has survived: either a
test is missing, or the line does not matter, and then the list says why ("survives: ...").

    usage: run.py [--jobs N] [--only TEXT] [--unit] [--list] [--keep]

Exit status: 0 when every mutant was killed or is known to survive for the reason that the list
gives; 1 when one survived without a reason, was killed although it should survive, or no longer
fits its file.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LISTS = ROOT / "tests" / "mutants"
BUILD_LIMIT = 900  # seconds for a build
TEST_LIMIT = 300  # seconds for one test program; a test that hangs has noticed
PRODUCTS = "all"
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BUILD", "DEVTRUST_BUILD", "DEVTRUST_ROOT")
FIELDS = {"@": "after", "-": "old", "+": "new"}
NEAR = 60  # lines between the text that names the place and the one that is replaced


class ListError(Exception):
    """The list is not of the form that it describes."""


@dataclasses.dataclass
class Mutant:
    """One line, what it becomes, and who should notice."""
    where: str  # of the list, for messages
    path: str
    rule: str
    after: str = ""
    old: str = ""
    new: str = ""
    tests: tuple = ()
    survives: str = ""

    def __str__(self):
        return f"{self.path}: {self.rule}"


def read_list(path):
    """Mutants of one list.

    == FILE             the mutants below change this file
    tests: TEST ...     which tests notice: unit:NAME, or int:FILE[::TEST] for an integration test
    # RULE              begins a mutant: the rule that it breaks
    @ TEXT              where to look for the next line: after this text, which is in the file once
    - TEXT              found once in the file, or right after the text above
    + TEXT              put in its place
    survives: REASON    no test can notice, and why
    """
    mutants, source, tests = [], None, ()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}"
        head, _, rest = line.partition(" ")
        if head == "==":
            source, tests = rest.strip(), ()
        elif head == "tests:":
            tests = tuple(rest.split())
        elif head == "#":
            mutants.append(Mutant(where, source, rest.strip(), tests=tests))
        elif head in ("@", "-", "+", "survives:") and mutants:
            setattr(mutants[-1], FIELDS.get(head, "survives"), rest)
        elif line.strip():
            raise ListError(f"{where}: not a line of a list of mutants")
    for m in mutants:
        if not (m.path and m.old and m.tests) or m.old == m.new:
            raise ListError(f"{m.where}: a mutant needs a file, tests, a - line and a + line")
    return mutants


def read_lists():
    found = [m for path in sorted(LISTS.glob("*.mutants")) for m in read_list(path)]
    stale = []
    for m in found:
        try:
            apply(m, (ROOT / m.path).read_text() if (ROOT / m.path).is_file() else "")
        except ListError as e:
            stale.append(str(e))
    if stale:
        raise ListError("\n".join(stale))
    return found


def apply(m, text):
    """The text of the file with the mutant in it."""
    for wanted in filter(None, (m.after, "" if m.after else m.old)):
        if text.count(wanted) != 1:
            raise ListError(f"{m.where}: {m.path} holds this text {text.count(wanted)} times, "
                            f"not once: {wanted}")
    start = text.index(m.after) if m.after else 0
    at = text.find(m.old, start)
    if at < 0 or (m.after and text[start:at].count("\n") > NEAR):
        raise ListError(f"{m.where}: {m.path} does not hold this text there: {m.old}")
    return text[:at] + m.new + text[at + len(m.old):]


class Tree:
    """A copy of the tracked files with a build of its own."""

    def __init__(self, path):
        self.path = path
        self.path.mkdir(parents=True)
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True).stdout
        for name in filter(None, names.decode().split("\0")):
            source = ROOT / name
            if source.is_file():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, self.path / name)
        if (ROOT / "config.mak").is_file():
            shutil.copy2(ROOT / "config.mak", self.path)

    def run(self, *command, limit):
        """True when the command succeeded in time; its output is in self.output."""
        env = {k: v for k, v in os.environ.items() if k not in OF_MAKE}
        try:
            done = subprocess.run(command, cwd=self.path, env=env, timeout=limit, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, errors="replace")
        except subprocess.TimeoutExpired:
            self.output = f"not finished after {limit} s"
            return False
        self.output = done.stdout
        return done.returncode == 0

    def make(self, *targets):
        return self.run("make", "CFLAGS=-O0 -g0", *targets, limit=BUILD_LIMIT)


def target_of(test):
    kind, name = test.split(":", 1)
    return f"build/tests/unit/{name}" if kind == "unit" else PRODUCTS


def passes(tree, test):
    """Does the test pass on what was built?"""
    kind, name = test.split(":", 1)
    if kind == "unit":
        return tree.run("make", "CFLAGS=-O0 -g0", "unit", f"UNIT_TESTS=build/tests/unit/{name}",
                        limit=TEST_LIMIT)
    return tree.run("make", "CFLAGS=-O0 -g0", "integration", "PYTEST_JOBS=0",
                    f"TESTS=tests/integration/{name}", "ARGS=-x -o addopts=", limit=TEST_LIMIT * 3)


def check_unchanged(trees, mutants):
    """The tests must pass on what nobody changed: else every mutant looks killed."""
    tests = sorted({t for m in mutants for t in m.tests})
    first = trees[0]
    for tree in trees:
        if not tree.make(*sorted({target_of(t) for t in tests})):
            sys.exit(f"the tree does not build:\n{tree.output[-3000:]}")
    failed = [t for t in tests if not passes(first, t)]
    if failed:
        sys.exit(f"these fail without any change: {' '.join(failed)}\n{first.output[-3000:]}")


def judge(tree, m):
    """"killed by TEST", "survived", or what is wrong with the mutant."""
    path = tree.path / m.path
    original = path.read_text()
    try:
        path.write_text(apply(m, original))
        if not tree.make(*sorted({target_of(t) for t in m.tests})):
            return f"does not build: {tree.output[-400:]}"
        for test in m.tests:
            if not passes(tree, test):
                return f"killed by {test}"
        return "survived"
    finally:
        path.write_text(original)
        os.utime(path, (time.time() + 1, time.time() + 1))


def is_as_listed(m, verdict):
    return verdict == "survived" if m.survives else verdict.startswith("killed")


def say(m, verdict):
    good = is_as_listed(m, verdict)
    word = verdict if good or verdict != "survived" else "SURVIVED"
    why = f" ({m.survives})" if m.survives else ""
    print(f"{'ok  ' if good else 'BAD '} {word:<45} {m}{why}", flush=True)
    return good


def run_all(mutants, trees):
    free = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(m):
        tree = free.get()
        try:
            return m, judge(tree, m)
        finally:
            free.put(tree)

    with concurrent.futures.ThreadPoolExecutor(len(trees)) as pool:
        return [(m, v, say(m, v)) for m, v in pool.map(one, mutants)]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--only", default="", help="mutants whose file or rule holds this text")
    p.add_argument("--unit", action="store_true", help="only those that unit tests notice")
    p.add_argument("--list", action="store_true", help="print the list, if it fits the sources")
    p.add_argument("--keep", action="store_true", help="keep the copies of the tree")
    a = p.parse_args()
    try:
        mutants = [m for m in read_lists() if a.only in str(m)]
        if a.unit:
            mutants = [m for m in mutants if all(t.startswith("unit:") for t in m.tests)]
    except ListError as e:
        sys.exit(f"mutants: {e}")
    if a.list:
        print("\n".join(f"{m}  [{' '.join(m.tests)}]" for m in mutants))
        print(f"{len(mutants)} mutants")
        return 0
    place = pathlib.Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build")) / "mutants"
    shutil.rmtree(place, ignore_errors=True)
    trees = [Tree(place / str(i)) for i in range(max(1, min(a.jobs, len(mutants))))]
    check_unchanged(trees, mutants)
    results = run_all(mutants, trees)
    if not a.keep:
        shutil.rmtree(place, ignore_errors=True)
    killed = sum(v.startswith("killed") for _, v, _ in results)
    known = sum(v == "survived" and good for _, v, good in results)
    bad = sum(not good for _, _, good in results)
    print(f"mutants: {len(results)} in all, {killed} killed, {known} survive for a reason, "
          f"{bad} not as listed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
