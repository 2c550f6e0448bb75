# SPDX-License-Identifier: GPL-2.0-or-later
"""`make lint` names the words of scripts/words.txt where they were planted, and only there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# One for each line of the list, in its order.
PLANTED = ["size_t n = sizeof x;", "/* The server sent nonsense. */", "/* It smells. */",
           "/* From a time to come. */", "/* What stands behind it. */", "/* Mend it: mend. */",
           "/* The person is told so. */", "/* Who tells groups; who tell groups. */",
           "/* What is no number. */", "/* Okta is away. */", "/* Its signature does not hold. */",
           '"there is no such section; write one of"', "static void tell(int n)",
           "/* The same for a rule. */"]


def lint(tree: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([tree / "scripts" / "lint.sh", "words"], text=True, check=False,
                          env={**os.environ, "BUILD": str(tree / "build"), "LINT_CFLAGS": "-g",
                               "RLM_CFLAGS": "-g"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    (tree / "common").mkdir()
    (tree / "common" / "plain.c").write_text(
        "size_t n = sizeof(x);\n/* There is no longer one; it is no better. */\n"
        "/* They are told apart. */\nstatic void tell_nothing(int n)\n")
    return tree


def test_plain_words_pass(tree: Path) -> None:
    done = lint(tree)
    assert done.returncode == 0, done.stdout


def test_each_planted_word_is_found(tree: Path) -> None:
    rules = [line.split("\t") for line in (tree / "scripts" / "words.txt").read_text().splitlines()
             if not line.startswith("#")]
    assert len(rules) == len(PLANTED)
    for (_, better), text in zip(rules, PLANTED):
        (tree / "common" / "planted.c").write_text(f"\n{text}\n")
        done = lint(tree)
        assert done.returncode == 1, text
        assert done.stdout.splitlines()[:2] == [f"common/planted.c:2:{text}",
                                                f"lint: write instead: {better}"], done.stdout
