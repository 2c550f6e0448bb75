# SPDX-License-Identifier: GPL-2.0-or-later
# What the integration tests share: one test PKI for the whole run, as making its keys takes long.
"""Fixtures of the integration tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pki import pki


@pytest.fixture(scope="session")
def pki_index(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The index of a freshly made test PKI."""
    return pki.generate(tmp_path_factory.mktemp("pki"))
