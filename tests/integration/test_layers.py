# SPDX-License-Identifier: GPL-2.0-or-later
# scripts/layers.sh in a copy of the tree: it says nothing against the tree as it is, and names the
# file of everything planted there that a layer or a room may not do.
"""`make layers`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build"))
SOURCES = ("common", "devtrust_signals", "devtrustctl", "pam_devtrust", "rlm_devtrust", "scripts")
ROOMS = "base config device policy intune okta ruleset signon session dae signals seal metrics"


class Tree:
    """A copy of the sources, and of the core as it was built."""

    def __init__(self, directory: Path) -> None:
        self.root = directory
        self.build = directory / "build"
        for name in SOURCES:
            shutil.copytree(ROOT / name, directory / name)
        self.build.mkdir()
        shutil.copy(BUILD / "libdt_core.a", self.build)

    def include(self, path: str, header: str) -> None:
        """Has a file include a header, as its last one."""
        file = self.root / path
        file.write_text(file.read_text() + f'#include "{header}"\n')

    def layers(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([self.root / "scripts" / "layers.sh"], text=True,
                              env={**os.environ, "BUILD": str(self.build)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def complaints(self) -> list[str]:
        """What it says is wrong; the last line is their count."""
        done = self.layers()
        lines = done.stdout.splitlines()
        assert done.returncode == 1, done.stdout
        assert lines[-1] == f"layers: {len(lines) - 1} wrong", done.stdout
        return lines[:-1]


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "tree")


def test_the_tree_is_in_order(tree: Tree) -> None:
    done = tree.layers()
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(": " + ROOMS)


def test_an_include_upwards_is_found(tree: Tree) -> None:
    planted = [("common/core/base/bytes.h", "core/signon/outcome.h", "base"),
               ("common/core/device/verdict.c", "core/policy/policy.h", "device"),
               ("common/core/okta/okta.c", "core/intune/intune.h", "okta")]
    for path, header, _ in planted:
        tree.include(path, header)
    # The first of them makes circles as well.
    assert {line for line in tree.complaints() if "in a circle" not in line} == {
        f'layers: {path} is of the room {room} and includes "{header}", which builds upon it'
        for path, header, room in planted}


def test_a_circle_is_found(tree: Tree) -> None:
    # Each within its room, and by the name that its own folder knows it by.
    tree.include("common/core/base/utf8.h", "core/base/text_wrap.h")
    tree.include("common/core/base/text_wrap.h", "utf8.h")
    found, = tree.complaints()
    assert found.startswith("layers: files include each other in a circle: ")
    assert set(found.split()[-2:]) == {"common/core/base/utf8.h", "common/core/base/text_wrap.h"}


def test_a_circle_through_three_parts_is_found(tree: Tree) -> None:
    for file, header in (("one", "two"), ("two", "three"), ("three", "one")):
        (tree.root / "common" / "edge" / (file + ".h")).write_text(f'#include "edge/{header}.h"\n')
    found, = tree.complaints()
    assert "in a circle" in found
    assert all(f"common/edge/{name}.h" in found for name in ("one", "two", "three"))


def test_a_room_without_an_introduction_is_found(tree: Tree) -> None:
    rooms = tree.root / "common" / "core"
    (rooms / "policy" / "policy.h").rename(rooms / "policy" / "policies.h")
    text = (rooms / "okta" / "okta.h").read_text()
    (rooms / "okta" / "okta.h").write_text(text.replace("/* The room okta: ", "/* Okta: ", 1))
    text = (rooms / "intune" / "intune.h").read_text()
    (rooms / "intune" / "intune.h").write_text(text.replace("Begin with ", "See ", 1))
    (rooms / "base" / "new.h").write_text("/* Of no room yet. */\n")
    (rooms / "cellar").mkdir()
    # policies.h now also has to say that policy.c defines its functions.
    complaints = [line for line in tree.complaints() if "policies.h declares" not in line]
    assert sorted(complaints) == sorted([
        "layers: common/core/policy/policy.h is missing: its opening comment introduces the room "
        "policy",
        'layers: common/core/okta/okta.h does not open with "The room okta: " and where to begin',
        'layers: common/core/intune/intune.h does not open with "The room intune: " and where to '
        "begin",
        "layers: common/core/base/base.h does not say in its opening comment what new.h is for",
        "layers: common/core/cellar is not a room of the core: add it to the rooms of "
        "scripts/layers.sh"])


def test_a_layer_that_reaches_too_far_is_found(tree: Tree) -> None:
    planted = [
        ("common/core/base/url.c", "edge/file.h", 'is core and includes "edge/file.h"'),
        ("common/edge/file.c", "driver/driver.h", 'is an edge and includes "driver/driver.h"'),
        ("common/driver/run.c", "rlm_devtrust/reply.h",
         'is common and includes a front door\'s "rlm_devtrust/reply.h"'),
        ("rlm_devtrust/reply.c", "pam_devtrust/protocol/protocol.h",
         'includes another front door\'s "pam_devtrust/protocol/protocol.h"'),
        ("pam_devtrust/module/pam_code.c", "driver/driver.h",
         'is the thin module and includes "driver/driver.h"'),
        ("common/core/ruleset/service.c", "core/policy/network_internal.h",
         'includes "core/policy/network_internal.h", which is for its own folder'),
        ("common/core/base/json_text.c", "jansson.h",
         "may not include <jansson.h>: see scripts/outside-libraries.txt")]
    for path, header, _ in planted:
        tree.include(path, header)
    assert sorted(tree.complaints()) == sorted(f"layers: {path} {complaint}"
                                               for path, _, complaint in planted)


def test_a_rule_about_a_library_that_nothing_needs_is_found(tree: Tree) -> None:
    rules = tree.root / "scripts/outside-libraries.txt"
    rules.write_text(rules.read_text() + "lzma.h common/edge/file.c\n")
    assert tree.complaints() == ["layers: scripts/outside-libraries.txt: no file that "
                                 "common/edge/file.c names includes <lzma.h>"]


def test_a_header_that_does_not_say_where_is_found(tree: Tree) -> None:
    header = tree.root / "common/core/base/guid.h"
    header.write_text(header.read_text() + "int dt_error_set(int rc);\n")
    assert tree.complaints() == ["layers: common/core/base/guid.h declares dt_error_set and does "
                                 "not say that err.c defines it"]
    header.write_text(header.read_text() + "/* err.c defines dt_error_set. */\n")
    assert tree.layers().returncode == 0


def test_what_the_core_may_not_call_is_found(tree: Tree) -> None:
    source = tree.root / "reads.c"
    source.write_text("#include <time.h>\nlong dt_reads_a_clock(void);\n"
                      "long dt_reads_a_clock(void) { return (long)time(NULL); }\n")
    subprocess.run(["gcc", "-c", "-o", tree.build / "reads.o", source], check=True)
    subprocess.run(["ar", "rcs", tree.build / "libdt_core.a", tree.build / "reads.o"], check=True)
    assert tree.complaints() == ["layers: the core may not use time (in reads.o)"]
