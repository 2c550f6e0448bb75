# SPDX-License-Identifier: GPL-2.0-or-later
# The documents: each manual page is rendered to its last section, and each file of the sources that
# a document names exists.
"""Documents and manual pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lib.pamworld import ROOT

PAGES = sorted((ROOT / "man").glob("*.[1-9]"))
DOCUMENTS = ("README.md", "INSTALL.md", "SECURITY.md", "HACKING.md")
# What begins with a folder of the sources, such as common/edge/file.c. Files of core/ and edge/ are
# also looked for below common/. Capitals stand for a name.
NAMED = re.compile(r"`((?:common|core|edge|driver|pam_devtrust|rlm_devtrust|devtrustctl"
                   r"|scripts|tests)/[a-z0-9_./-]+\.(?:c|h|py|sh|txt|md|pml))`")
RENDERERS = {"groff": ["groff", "-Kutf8", "-mandoc", "-Tutf8", "-P-c"],
             "mandoc": ["mandoc", "-T", "utf8"]}


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page_is_rendered_to_its_end(page: Path, renderer: str) -> None:
    if shutil.which(renderer) is None:
        pytest.skip(f"{renderer} is not installed")
    done = subprocess.run([*RENDERERS[renderer], page], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}, check=True)
    lines = re.sub(".\b", "", done.stdout).splitlines()
    sections = re.findall(r"(?m)^\.Sh (.*)$", page.read_text())
    found = [line.strip() for line in lines if line.strip() in sections and not line[0].isspace()]
    assert found == sections
    after = lines[len(lines) - 1 - lines[::-1].index(sections[-1]):]
    assert len([line for line in after if line.strip()]) > 2, "the last section is empty"
    assert "cannot chop" not in done.stderr and "ending diversion" not in done.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_a_document_names_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    names = set(NAMED.findall(text))
    missing = [name for name in names
               if not (ROOT / name).exists() and not (ROOT / "common" / name).exists()]
    assert not missing
    assert names or document == "README.md"


def test_the_tour_names_files_of_the_sources() -> None:
    """HACKING names files by the end of their path; a renamed file must be renamed there, too."""
    folders = ("common", "pam_devtrust", "rlm_devtrust", "devtrust_signals", "devtrustctl",
               "tests")
    sources = {path.relative_to(ROOT) for folder in folders
               for path in (ROOT / folder).rglob("*.[ch]")}
    ends = {"/".join(path.parts[i:]) for path in sources for i in range(len(path.parts))}
    named = set(re.findall(r"`([a-z0-9_/]+\.[ch])`", (ROOT / "HACKING.md").read_text()))
    assert len(named) > 50
    assert not named - ends


# Lists of keys, options and members by page: from one line to another. devtrust.conf(5) is held
# against the table of keys by tests/unit/test_config_docs.c.
KEY_LISTS = {"pam_devtrust.8": (".It Cm socket", ".Sh "),
             "rlm_devtrust.5": (".It Cm config", ".It Cm passcode"),
             "devtrust-policy.5": (".It Cm name", ".It Cm attributes")}
WORDS_MAX = 24


def keys_of(page: str) -> list[tuple[str, str]]:
    """Each key of the outermost lists with the line that follows."""
    begin, end = KEY_LISTS[page]
    lines = (ROOT / "man" / page).read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(begin))
    found, depth = [], 0
    for line, after in zip(lines[at:], lines[at + 1:]):
        depth += line.startswith(".Bl") - line.startswith(".El")
        if depth <= 0 and line.startswith(".It Cm "):
            found.append((line.split()[2], after))
        if line.startswith(end) and found[1:]:
            break
    return found


@pytest.mark.parametrize("page", KEY_LISTS)
def test_each_key_opens_with_a_plain_sentence(page: str) -> None:
    keys = keys_of(page)
    assert len(keys) > 5
    for key, line in keys:
        assert re.fullmatch(r"[A-Z].*[.]", line), f"{key}: {line}"
        assert len(line.split()) <= WORDS_MAX, f"{key}: {line}"
