# SPDX-License-Identifier: GPL-2.0-or-later
# Secrets that systemd gives a service, in a directory made as systemd makes one. That systemd
# itself makes it is not tried here: it is not the first process of this suite.
"""credential:NAME in place of the path of a secret."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.pamworld import PamWorld, pam_world

CTL = Path(os.environ["DEVTRUST_BUILD"]) / "devtrustctl"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pytest.MonkeyPatch.context() as patch, \
            pam_world(pki_index, applications=("desk",)) as made:
        made.service("desk")
        made.site.configure({"okta": {"api_token_file": "credential:okta-token"}})
        directory = made.directory / "credentials"
        directory.mkdir(mode=0o700)
        patch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        made.sim.add_user("dtalice@example.com")
        yield made
        made.stop_daemon()


@pytest.fixture(name="token")
def a_token(world: PamWorld) -> Iterator[Path]:
    path = world.directory / "credentials" / "okta-token"
    shutil.copyfile(world.site.okta_token_path, path)
    path.chmod(0o440)
    yield path
    world.stop_daemon()


def check(world: PamWorld) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CTL, "check-config", "-c", world.site.config_path], text=True,
                          capture_output=True, timeout=60, check=False)


def test_a_daemon_takes_its_secret_from_it(world: PamWorld, token: Path) -> None:
    assert check(world).returncode == 0, check(world)
    world.start_daemon()
    assert world.login("desk", "dtalice")["auth"] != "SUCCESS"
    event = world.outcome("desk")  # which only an org that takes the token can tell
    assert event["debugContext"]["debugData"]["cause"] == "MFA_NO_FACTOR"


@pytest.mark.parametrize("spoil, said", [
    (lambda p: p.unlink(), "LoadCredential=okta-token:"), (lambda p: p.chmod(0o444), "by others"),
    (lambda p: os.chown(p, 54321, 0), "uid 54321"), (lambda p: p.write_text(""), "is empty"),
    (lambda p: p.parent.chmod(0o777), "by others")])
def test_what_is_no_credential(world: PamWorld, token: Path, spoil: Any, said: str) -> None:
    spoil(token)
    try:
        answer = check(world)
        assert answer.returncode == 2 and said in answer.stderr, answer
        assert "api_token_file" in answer.stderr
    finally:
        token.parent.chmod(0o700)
        token.unlink(missing_ok=True)
