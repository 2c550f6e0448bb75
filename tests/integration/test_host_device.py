# SPDX-License-Identifier: GPL-2.0-or-later
# Console logins on a host whose device key is in a token or a TPM: SoftHSM signs, a token that is
# away and a TPM that hangs are "not known" within seconds, and hold up nobody else.
"""Host keys in devices, with the whole daemon."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.pamworld import PamWorld, pam_world
from tests.lib.ports import free_port
from tests.lib.site import guide_policy

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "24681357"
LIMIT = 3.0  # DT_SIGN_LIMIT_MS


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Path]:
    """A token with the keys of the host, and its PIN in a file."""
    directory = tmp_path_factory.mktemp("token")
    (directory / "tokens").mkdir()
    (directory / "conf").write_text(f"directories.tokendir = {directory / 'tokens'}\n")
    (directory / "pin").write_text(PIN + "\n")
    os.chmod(directory / "pin", 0o600)
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(directory / "conf")

    def run(*command: Any) -> None:
        subprocess.run([str(c) for c in command], check=True, capture_output=True)

    run("softhsm2-util", "--init-token", "--free", "--label", "dev", "--so-pin", "1234",
        "--pin", PIN)
    for number, name in (("01", "host"), ("02", "host-p256")):
        key = directory / "import.pem"
        run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in",
            pki_index["devices"][name]["files"]["key"], "-out", key)
        run("softhsm2-util", "--import", key, "--token", "dev", "--label", name, "--id", number,
            "--pin", PIN)
        key.unlink()
    yield directory
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any], token: Path) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("login", "sshd")) as made:
        for name in ("login", "sshd"):
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user("dtalice@example.com", factors=("push",))
    world.site.audit_path.unlink(missing_ok=True)
    world.site.set_policy(guide_policy("login"))
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    yield
    world.stop_daemon()


def start(world: PamWorld, token: Path, device: str, key: str, **more: Any) -> None:
    made = world.pki["devices"][device]
    world.sim.enrol_device(made["device_id"], user="dtalice@example.com")
    settings = {"host_certificate_file": made["files"]["certificate"], "host_key": key,
                "host_key_file": None, "pkcs11_module": MODULE,
                "host_key_pin_file": token / "pin", "tpm_tcti": None, **more}
    world.site.configure({"device_trust": settings, "policy": {"unknown_device_as": "deny"},
                          "daemon": {"local_services": "login", "person_at_host": "service"}})
    world.start_daemon()


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


@pytest.mark.parametrize("device", ["host", "host-p256"])
def test_key_in_a_token_makes_the_host_trusted(world: PamWorld, token: Path, device: str) -> None:
    start(world, token, device, f"pkcs11:token=dev;object={device}")
    for count in (1, 2):
        assert world.login("login", "dtalice")["auth"] == "SUCCESS"
        event = world.outcome("login", count=count)
        assert debug(event)["cause"] == "RULE_ALLOW"
        assert debug(event)["evidence"] == "certificate+intune"
    assert world.sim.count("okta.total") == 0
    report = world.run_ctl("check-config", "--user", "root")
    assert "this host" in report and PIN not in report
    for written in (world.log_path, world.site.audit_path):
        assert PIN not in written.read_text()
    assert PIN.encode() not in Path(f"/proc/{world.daemon.pid}/environ").read_bytes()
    assert PIN.encode() not in Path(f"/proc/{world.daemon.pid}/cmdline").read_bytes()


def test_key_of_another_certificate_makes_nobody_trusted(world: PamWorld, token: Path) -> None:
    start(world, token, "host", "pkcs11:token=dev;object=host-p256")
    assert world.login("login", "dtalice")["auth"] != "SUCCESS"
    assert debug(world.outcome("login"))["verdict"] == "UNKNOWN"  # it cannot sign as RSA


@pytest.mark.parametrize("key", ["pkcs11:token=gone;object=host", "pkcs11:token=dev;object=gone"])
def test_token_that_is_away_is_not_known(world: PamWorld, token: Path, key: str) -> None:
    start(world, token, "host", key)
    assert world.login("login", "dtalice")["auth"] != "SUCCESS"
    event = world.outcome("login")
    assert debug(event)["verdict"] == "UNKNOWN" and debug(event)["cause"] == "DEVICE_UNKNOWN"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port, and the next, where somebody takes connections and says nothing: a TPM that hangs."""
    for _ in range(100):
        port = free_port()
        with socket.socket() as commands, socket.socket() as control:
            try:
                commands.bind(("127.0.0.1", port))
                control.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            commands.listen(16)
            control.listen(16)
            yield port
            return
    raise AssertionError("no two ports in a row")


def test_tpm_that_hangs_is_waited_for_a_while(world: PamWorld, token: Path, silent: int) -> None:
    start(world, token, "host", "handle:0x81000010", host_key_pin_file=None,
          tpm_tcti=f"swtpm:host=127.0.0.1,port={silent}")
    took: list[float] = []

    def console() -> None:
        began = time.monotonic()
        assert world.login("login", "dtalice")["auth"] != "SUCCESS"
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=console) for _ in range(3)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    world.login("sshd", "nobody-here")  # who does not need the TPM does not wait for it
    assert time.monotonic() - began < LIMIT
    for thread in threads:
        thread.join()
    assert len(took) == 3 and all(LIMIT - 0.5 < t < LIMIT + 5 for t in took), took
    event = world.outcome("login", count=3)
    assert debug(event)["verdict"] == "UNKNOWN" and debug(event)["cause"] == "DEVICE_UNKNOWN"
    assert world.stop_daemon() == 0  # a thread that hangs does not keep it
