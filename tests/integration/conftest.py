# SPDX-License-Identifier: GPL-2.0-or-later
# What the integration tests share: one test PKI for the whole run, as making its keys takes long.
"""Fixtures of the integration tests."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

import pytest

from tests.lib import matrix
from tests.pki import pki


@pytest.fixture(scope="session")
def pki_index(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The index of a freshly made test PKI, which all processes of a run share."""
    place = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        place = place.parent
    with open(place / "pki.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "pki" / "index.json").exists():
            return pki.generate(place / "pki")
    return json.loads((place / "pki" / "index.json").read_text(encoding="utf-8"))


# The files that take longest. They come first: one process runs a file, and no file must be left to
# run alone in the end.
LONGEST = ("test_reload.py", "test_unavailable.py", "test_pam_daemon.py", "test_pam_ssh.py",
           "test_policy_scale.py", "test_pam_setuid.py", "test_pam_ssh_batch.py",
           "test_pam_directories.py", "test_radius_directory.py")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the matrix's mark known, and lets the table see every report."""
    config.addinivalue_line("markers", "matrix(door, program, case, whole): a cell of the matrix")
    config.matrix_table = matrix.Table()
    config.pluginmanager.register(config.matrix_table)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Writes each test's cells into its reports, which reach the process that prints the table, and
    leaves out what only the whole matrix tries."""
    left_out = [item for item in items if matrix.leave_out(item)]
    for item in items:
        item.user_properties.extend(
            ("matrix", cell[:3]) for cell in matrix.cells_of(item))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not matrix.leave_out(item)]
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST
               else len(LONGEST))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the matrix."""
    if config.matrix_table.outcome:
        terminalreporter.section("matrix: program x case")
        for line in config.matrix_table.lines():
            terminalreporter.write_line(line)
