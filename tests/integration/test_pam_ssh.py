# SPDX-License-Identifier: GPL-2.0-or-later
# Logging in by SSH, with a real sshd, the shipped PAM and sshd samples, devtrustd, and a person at
# a terminal in front of a real ssh.
"""pam_devtrust.so in sshd."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
import uuid
from typing import Any, Iterator

import pexpect
import pytest

from tests.integration.test_reload import deny_all
from tests.lib import site as sites
from tests.lib.pamworld import LIMIT, PamWorld, pam_world, wait_until
from tests.lib.sshd import Sshd, install_device_key, make_key

IN = "I-am-in"
OUT = "Permission denied"
NUMBER = r"number (\d+) in Okta Verify"
PENDING = r"another sign-on in\s+your name.*passcode: "  # a line may end there
REGISTRY = 1  # the store's table of enrolled device keys
BOTH = ("push", "token:software:totp")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        yield made


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world) as made:
        yield made


@pytest.fixture
def sshd(server: Sshd) -> Iterator[Sshd]:
    """Without a connection left over from the test before."""
    yield server
    server.hang_up()


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    """Every test has an org with dtalice in it, an empty audit log and a daemon."""
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user("dtalice@example.com", factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    world.site.configure({"mfa": {"wait_pam": "20s", "push_limit": None}})
    world.start_daemon()
    yield
    world.stop_daemon()


@pytest.fixture(scope="module")
def stranger(world: PamWorld, server: Sshd) -> Any:
    """A key that may log in as dtalice, of a machine that nobody has enrolled."""
    key = make_key(world.directory / "stranger")
    server.allow("dtalice", key)
    return key


def enrolled(world: PamWorld, sshd: Sshd, device: str, **fields: Any) -> Any:
    """The key of a device whose certificate is in the registry and whose device is in Intune."""
    made = world.pki["devices"][device]
    world.sim.enrol_device(made["device_id"], user="dtalice@example.com", **fields)
    world.add_device(made["files"]["certificate"])
    key = install_device_key(world, device)
    sshd.allow("dtalice", key)
    return key


def cause(event: dict[str, Any]) -> str:
    return event["debugContext"]["debugData"]["cause"]


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


def let_in(ssh: "pexpect.spawn[str]") -> None:
    ssh.expect(IN)
    ssh.expect(pexpect.EOF)
    ssh.close()
    assert ssh.exitstatus == 0


def keep_out(ssh: "pexpect.spawn[str]") -> str:
    """The login is refused; what was shown."""
    assert ssh.expect([OUT, "Too many authentication failures", IN]) < 2
    text = ssh.before
    ssh.expect(pexpect.EOF)
    ssh.close()
    assert ssh.exitstatus == 255
    return text


# --- trusted devices ---------------------------------------------------------------------------

# --- certificates of an SSH CA, and keys without a certificate -----------------------------------

def certificate(ca: Any, key: Any, *options: str) -> None:
    """Has the CA sign the key; ssh finds the certificate beside it."""
    subprocess.run(["ssh-keygen", "-q", "-s", ca, "-n", "dtalice", *options, f"{key}.pub"],
                   check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def ssh_ca(world: PamWorld) -> Any:
    return make_key(world.directory / "device-ca")


@pytest.fixture
def certificates(world: PamWorld, ssh_ca: Any) -> Iterator[Sshd]:
    """An sshd that takes certificates of the device CA and of another CA."""
    other = make_key(world.directory / "people-ca") \
        if not (world.directory / "people-ca").exists() else world.directory / "people-ca"
    both = world.directory / "user-cas"
    both.write_text("".join(ca.with_suffix(".pub").read_text() for ca in (ssh_ca, other)))
    world.site.configure({"device_trust": {
        "trusted_when": "ssh-certificate+intune, ssh-key+registry",
        "ssh_device_ca_file": ssh_ca.with_suffix(".pub")}})
    world.restart_daemon()
    with Sshd(world, TrustedUserCAKeys=both) as made:
        yield made
    world.site.configure({"device_trust": {"trusted_when": None, "ssh_device_ca_file": None,
                                           "ssh_certificate_device_id": None,
                                           "ssh_require_hardware_key": None}})


def is_asked(ssh: "pexpect.spawn[str]") -> bool:
    """Whether the person is asked for MFA."""
    found: int = ssh.expect([NUMBER, IN, OUT])
    ssh.close()
    return found == 0


def asked(ssh: "pexpect.spawn[str]") -> None:
    """The person is asked for MFA: the device is not trusted."""
    assert is_asked(ssh), ssh.before


def test_certificate_of_the_device_ca_is_asked_nothing(world: PamWorld, certificates: Sshd,
                                                       ssh_ca: Any, tmp_path: Any) -> None:
    device = str(uuid.uuid4())
    world.sim.enrol_device(device, user="dtalice@example.com")
    key = make_key(tmp_path / "key")
    certificate(ssh_ca, key, "-I", device, "-V", "+1h")
    let_in(certificates.connect("dtalice", key))
    event = world.outcome("sshd")
    assert debug(event)["evidence"] == "intune+ssh-certificate"
    assert cause(event) == "RULE_ALLOW" and world.sim.count("okta.total") == 0


def test_certificate_of_another_ca_names_no_device(world: PamWorld, certificates: Sshd,
                                                   tmp_path: Any) -> None:
    device = str(uuid.uuid4())
    world.sim.enrol_device(device, user="dtalice@example.com")
    key = make_key(tmp_path / "key")
    certificate(world.directory / "people-ca", key, "-I", device, "-V", "+1h")
    asked(certificates.connect("dtalice", key))
    assert world.sim.count("graph.total") == 0


def test_certificate_names_its_device_where_the_rule_says(world: PamWorld, certificates: Sshd,
                                                          ssh_ca: Any, tmp_path: Any) -> None:
    world.site.configure({"device_trust": {
        "ssh_certificate_device_id": "extension:device-id@devtrust.example"}})
    world.restart_daemon()
    device = str(uuid.uuid4())
    world.sim.enrol_device(device, user="dtalice@example.com")
    key, other = make_key(tmp_path / "key"), make_key(tmp_path / "other")
    certificate(ssh_ca, key, "-I", "dtalice", "-O",
                f"extension:device-id@devtrust.example={device}")
    certificate(ssh_ca, other, "-I", device)
    let_in(certificates.connect("dtalice", key))
    world.site.audit_path.unlink()
    asked(certificates.connect("dtalice", other))


def test_enrolled_key_of_a_listed_device_is_asked_nothing(world: PamWorld, certificates: Sshd,
                                                          tmp_path: Any) -> None:
    device = str(uuid.uuid4())
    key = make_key(tmp_path / "key")
    certificates.allow("dtalice", key)
    asked(certificates.connect("dtalice", key))
    world.run_ctl("device", "add", "--id", device, "--ssh-key", f"{key}.pub", "--trusted")
    world.site.audit_path.unlink(missing_ok=True)
    let_in(certificates.connect("dtalice", key))
    event = world.outcome("sshd")
    assert debug(event)["evidence"] == "ssh-key+registry"
    world.run_ctl("device", "remove", device)
    # What another process removed is known within a second.
    wait_until(lambda: is_asked(certificates.connect("dtalice", key)), "the removed device")


def test_soft_key_does_not_do_where_hardware_is_demanded(world: PamWorld, certificates: Sshd,
                                                         ssh_ca: Any, tmp_path: Any) -> None:
    world.site.configure({"device_trust": {"ssh_require_hardware_key": "yes"}})
    world.restart_daemon()
    device = str(uuid.uuid4())
    world.sim.enrol_device(device, user="dtalice@example.com")
    key = make_key(tmp_path / "key")
    certificate(ssh_ca, key, "-I", device)
    asked(certificates.connect("dtalice", key))


@pytest.mark.parametrize("device", ["device-p256", "device-rsa", "device-ed25519", "company-rsa"])
def test_enrolled_laptop_is_asked_nothing(world: PamWorld, sshd: Sshd, device: str) -> None:
    ssh = sshd.connect("dtalice", enrolled(world, sshd, device))
    assert ssh.expect([IN, ": ", pexpect.EOF]) == 0, ssh.before
    assert "Okta" not in ssh.before
    ssh.close()
    event = world.outcome("sshd")
    assert cause(event) == "RULE_ALLOW" and debug(event)["verdict"] == "TRUSTED"
    assert debug(event)["evidence"] == "ssh-key+intune"
    assert event["client"]["ipAddress"] == "127.0.0.1" and event["client"]["device"] == "Computer"
    assert world.sim.count("okta.total") == 0


def test_device_event(world: PamWorld, sshd: Sshd) -> None:
    let_in(sshd.connect("dtalice", enrolled(world, sshd, "device-p256")))
    event = world.site.wait_for(
        lambda e: e["displayMessage"] == "Authentication of device via ssh-key")
    assert event["outcome"] == {"result": "SUCCESS", "reason": "TRUSTED"}


def test_second_login_asks_nobody(world: PamWorld, sshd: Sshd) -> None:
    key = enrolled(world, sshd, "device-p256")
    let_in(sshd.connect("dtalice", key))
    world.outcome("sshd")
    world.sim.reset_requests()
    let_in(sshd.connect("dtalice", key))
    assert debug(world.outcome("sshd", 2))["graphCalls"] == 0
    assert world.sim.count("graph.total") == 0 and world.sim.count("login.total") == 0


# --- devices that are not trusted --------------------------------------------------------------

def test_unknown_machine_number_and_push(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    number = int(ssh.match[1])
    assert world.sim.pushes("dtalice@example.com")[0]["number"] == number
    world.sim.approve("dtalice@example.com", number=number)
    ssh.sendline("")
    let_in(ssh)
    event = world.outcome("sshd")
    assert cause(event) == "MFA_SUCCESS" and debug(event)["factor"] == "push"
    assert debug(event)["verdict"] == "NOT_TRUSTED"
    assert world.sim.count("okta.verify") == 1


def test_number_is_seen_at_once(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    """Before the wait, not after it: it has to be typed into the phone."""
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    assert world.sim.pushes("dtalice@example.com")[0]["result"] == "WAITING"
    ssh.close(force=True)


def test_enter_before_approval_waits(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendline("")
    wait_until(lambda: world.sim.count("okta.poll") >= 2, "polls after Enter")
    world.sim.approve("dtalice@example.com")
    let_in(ssh)


def test_wrong_number_is_a_denial(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    world.sim.approve("dtalice@example.com", number=(int(ssh.match[1]) + 1) % 100)
    ssh.sendline("")
    keep_out(ssh)
    assert cause(world.outcome("sshd")) == "MFA_REJECTED"


def test_push_denied(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    world.sim.deny("dtalice@example.com")
    ssh.sendline("")
    keep_out(ssh)
    event = world.outcome("sshd")
    assert cause(event) == "MFA_REJECTED" and event["outcome"]["result"] == "FAILURE"


def test_nobody_answers(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.restart_daemon({"mfa": {"wait_pam": "3s"}})
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    assert cause(world.outcome("sshd")) == "MFA_TIMEOUT"
    assert world.sim.count("okta.cancel") == 1
    ssh.sendline("")
    keep_out(ssh)


def test_nobody_answers_after_enter(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.restart_daemon({"mfa": {"wait_pam": "3s"}})
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendline("")
    keep_out(ssh)
    assert cause(world.outcome("sshd")) == "MFA_TIMEOUT"


def test_approval_after_the_limit_is_too_late(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.restart_daemon({"mfa": {"wait_pam": "2s"}})
    world.sim.fault("status", endpoint="cancel", status=500)
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    world.outcome("sshd")
    world.sim.approve("dtalice@example.com")
    ssh.sendline("")
    keep_out(ssh)


def test_passcode_while_push_is_pending(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect("or type a passcode")
    ssh.sendline(world.sim.passcode("dtalice@example.com"))
    let_in(ssh)
    event = world.outcome("sshd")
    assert cause(event) == "MFA_SUCCESS"
    assert debug(event)["factor"] == "token:software:totp"
    assert world.sim.count("okta.cancel") == 1  # the push is not left on the phone


SEPARATORS = [" ", "-", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "\N{THIN SPACE}",
              "\N{EN DASH}"]


@pytest.mark.parametrize("separator", SEPARATORS, ids=[f"U+{ord(s):04X}" for s in SEPARATORS])
def test_passcode_as_people_type_it(world: PamWorld, sshd: Sshd, stranger: Any,
                                    separator: str) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect("or type a passcode")
    code = world.sim.passcode("dtalice@example.com")
    ssh.sendline(f" {code[:3]}{separator}{code[3:]} ")
    let_in(ssh)
    assert debug(world.outcome("sshd"))["factor"] == "token:software:totp"


def test_text_at_a_push_is_neither_enter_nor_a_guess(world: PamWorld, sshd: Sshd,
                                                     stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    for typed in ("yes", "12345", "approved!"):  # as many as passcode_attempts
        ssh.expect("or type a passcode")
        ssh.sendline(typed)
        ssh.expect("That is not a passcode")
    ssh.expect("or type a passcode")
    ssh.sendline(world.sim.passcode("dtalice@example.com"))
    let_in(ssh)
    assert world.sim.count("okta.verify") == 2  # the push and the passcode


def test_passcode_is_not_shown(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect("or type a passcode")
    code = world.sim.passcode("dtalice@example.com")
    ssh.sendline(code)
    ssh.expect(IN)
    assert code not in ssh.before
    ssh.close()
    world.outcome("sshd")
    for path in (world.site.audit_path, world.log_path, sshd.log):
        assert code not in path.read_text()


def test_wrong_passcodes(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.sim.reset()
    world.sim.add_user("dtalice@example.com", factors=("token:software:totp",))
    ssh = sshd.connect("dtalice", stranger)
    right = world.sim.passcode("dtalice@example.com")
    wrong = "000000" if right != "000000" else "111111"
    ssh.expect("Okta Verify passcode: ")
    ssh.sendline(wrong)
    ssh.expect("not accepted.*Okta Verify passcode: ")
    ssh.sendline("not digits at all")
    ssh.expect("That is not a passcode.*Okta Verify passcode: ")
    ssh.sendline(wrong)
    keep_out(ssh)
    assert cause(world.outcome("sshd")) == "MFA_FAILED"


def test_wrong_then_right_passcode(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(r"or type a passcode\): ")
    ssh.sendline("0000000")
    ssh.expect(r"not accepted.*passcode\): ")
    ssh.sendline(world.sim.passcode("dtalice@example.com"))
    let_in(ssh)


def test_used_passcode(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    code = world.sim.passcode("dtalice@example.com")
    first = sshd.connect("dtalice", stranger)
    first.expect(r"type a passcode\): ")
    first.sendline(code)
    let_in(first)
    again = sshd.connect("dtalice", stranger)
    again.expect(r"type a passcode\): ")
    again.sendline(code)
    again.expect(r"not accepted.*passcode\): ")
    again.close(force=True)


@pytest.mark.parametrize("state", ["noncompliant", "inGracePeriod", "unknown", "error"])
def test_non_compliant_laptop(world: PamWorld, sshd: Sshd, state: str) -> None:
    ssh = sshd.connect("dtalice", enrolled(world, sshd, "device-p256", compliance=state))
    ssh.expect(NUMBER)
    world.sim.approve("dtalice@example.com")
    ssh.sendline("")
    let_in(ssh)
    assert debug(world.outcome("sshd"))["verdict"] != "TRUSTED"


@pytest.mark.parametrize("age, grace, trusted", [
    (60, "20m", True), (60, "0", False), (1500, "20m", False), (-3600, "20m", False)])
def test_laptop_that_was_only_just_enrolled(world: PamWorld, sshd: Sshd, age: int, grace: str,
                                            trusted: bool) -> None:
    world.stop_daemon()
    world.site.configure({"device_trust": {"trust_in_grace_period": "yes",
                                           "fresh_enrollment_grace": grace}})
    world.start_daemon()
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
    ssh = sshd.connect("dtalice", enrolled(world, sshd, "device-p256", compliance="unknown",
                                           enrolledDateTime=since))
    try:
        if trusted:
            let_in(ssh)
            assert debug(world.outcome("sshd"))["deviceReason"] == "IN_GRACE_PERIOD"
        else:
            ssh.expect("does not meet.*" + NUMBER)
            ssh.close(force=True)
    finally:
        world.site.configure({"device_trust": {"trust_in_grace_period": None,
                                               "fresh_enrollment_grace": None}})


def test_non_compliant_laptop_is_told_the_way(world: PamWorld, sshd: Sshd) -> None:
    ssh = sshd.connect("dtalice", enrolled(world, sshd, "device-p256", compliance="noncompliant"))
    ssh.expect("Check access")
    ssh.close(force=True)


@pytest.fixture
def own_words(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.site.configure({
        "message NOT_COMPLIANT": {"text": "Somewhere else.", "windows": "Mend {device}: {link} ."},
        "message NOT_ENROLLED": {"text": "Who is this? Go to {link} ."}})
    world.start_daemon()
    yield
    for reason in ("NOT_COMPLIANT", "NOT_ENROLLED"):
        del world.site.settings["message " + reason]


@pytest.mark.usefixtures("own_words")
def test_words_of_the_administrators(world: PamWorld, sshd: Sshd) -> None:
    key = enrolled(world, sshd, "device-p256", compliance="noncompliant", deviceName="LAPTOP-7",
                   operatingSystem="Windows")
    ssh = sshd.connect("dtalice", key)
    ssh.expect(r"Mend LAPTOP-7:\s+https://enrollment.manage.microsoft.com/enrollmentserver/"
               r"discovery.svc\s+\.\s+Choose the number")
    ssh.close(force=True)


@pytest.mark.usefixtures("own_words")
def test_words_of_the_administrators_for_strangers(world: PamWorld, sshd: Sshd) -> None:
    key = enrolled(world, sshd, "device-p256")
    world.sim.remove_device(world.pki["devices"]["device-p256"]["device_id"])
    ssh = sshd.connect("dtalice", key)
    ssh.expect(r"Who is this\? Go to\s+https://")
    ssh.close(force=True)


def test_device_that_left_intune(world: PamWorld, sshd: Sshd) -> None:
    key = enrolled(world, sshd, "device-p256")
    world.sim.remove_device(world.pki["devices"]["device-p256"]["device_id"])
    ssh = sshd.connect("dtalice", key)
    ssh.expect(NUMBER)
    ssh.close(force=True)


def put_into_registry(world: PamWorld, certificate: str, key: str) -> None:
    """A record that devtrustctl would refuse to make now: the certificate has gone bad since."""
    import base64
    import hashlib
    import json

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    with open(certificate, "rb") as file:
        der = x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)
    with open(key) as file:
        blob = base64.b64decode(file.read().split()[1])
    record = json.dumps({"v": 1, "added": 0, "name": "laptop",
                         "certificate": base64.b64encode(der).decode()})
    world.stop_daemon()
    with sqlite3.connect(world.site.store_path) as store:
        store.execute("UPDATE tables SET rows = rows + 1 WHERE tbl = ?", (REGISTRY,))
        store.execute("INSERT INTO rows (tbl, key, value, count, expires) VALUES (?, ?, ?, 0, ?)",
                      (REGISTRY, "ssh:" + hashlib.sha256(blob).hexdigest(), record.encode(),
                       2 ** 63 - 1))
    store.close()
    world.start_daemon()


@pytest.mark.parametrize("device", ["device-p256", "foreign-ca", "foreign-ca-same-name", "expired",
                                    "not-yet-valid", "wrong-tenant", "missing-tenant",
                                    "self-signed", "wrong-eku", "broken-signature"])
def test_registry_with_a_bad_certificate(world: PamWorld, sshd: Sshd, device: str) -> None:
    """Being in the registry proves nothing: its certificate is judged at every login."""
    made = world.pki["devices"][device]
    if made["device_id"]:
        world.sim.enrol_device(made["device_id"], user="dtalice@example.com")
    put_into_registry(world, made["files"]["certificate"], made["files"]["ssh_public_key"])
    key = install_device_key(world, device)
    sshd.allow("dtalice", key)
    ssh = sshd.connect("dtalice", key)
    if device == "device-p256":  # the good one shows that such a record is read at all
        let_in(ssh)
        return
    ssh.expect(NUMBER)
    world.sim.deny("dtalice@example.com")
    ssh.sendline("")
    keep_out(ssh)
    event = world.outcome("sshd")
    assert debug(event)["verdict"] == "NOT_TRUSTED"
    assert debug(event)["deviceReason"] == made["reason"]


# --- people ------------------------------------------------------------------------------------

@pytest.mark.parametrize("status, why", [
    ("SUSPENDED", "OKTA_USER_SUSPENDED"), ("DEPROVISIONED", "OKTA_USER_DEACTIVATED"),
    ("STAGED", "OKTA_USER_NOT_ACTIVATED")])
def test_user_that_okta_does_not_accept(world: PamWorld, sshd: Sshd, stranger: Any,
                                        status: str, why: str) -> None:
    world.sim.set_user("dtalice@example.com", status=status)
    keep_out(sshd.connect("dtalice", stranger))
    assert cause(world.outcome("sshd")) == why
    assert not world.sim.pushes()


def test_user_that_okta_does_not_know(world: PamWorld, sshd: Sshd) -> None:
    key = make_key(world.directory / "of-bob")
    sshd.allow("dtbob", key)
    keep_out(sshd.connect("dtbob", key))
    assert cause(world.outcome("sshd")) == "OKTA_USER_UNKNOWN"


def test_account_that_is_not_here_is_not_pushed(world: PamWorld, sshd: Sshd,
                                                stranger: Any) -> None:
    world.sim.add_user("nobodyhere@example.com", factors=BOTH)
    keep_out(sshd.connect("nobodyhere", stranger))
    assert world.sim.count("okta.total") == 0


def test_push_limit(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.sim.reset()
    world.sim.add_user("dtalice@example.com", factors=("push",))
    world.restart_daemon({"mfa": {"push_limit": "1", "wait_pam": "3s"}})
    first = sshd.connect("dtalice", stranger)
    first.expect(NUMBER)
    assert cause(world.outcome("sshd")) == "MFA_TIMEOUT"
    first.close(force=True)
    keep_out(sshd.connect("dtalice", stranger))
    assert cause(world.outcome("sshd", 2)) == "MFA_PUSH_LIMIT"
    assert len(world.sim.pushes()) == 1


# --- one push at a time, and one for each connection ----------------------------------------------

ALICE = "dtalice@example.com"


def three_prompts(sshd: Sshd, user: str, key: Any) -> "pexpect.spawn[str]":
    """As ssh does by itself: three attempts in one connection."""
    command = [word.replace("Prompts=1", "Prompts=3") for word in sshd.command(user, key)]
    return pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8",
                         env={"PATH": os.environ["PATH"], "TERM": "dumb",
                              "HOME": str(sshd.directory)})


def test_a_denied_push_is_the_last(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = three_prompts(sshd, "dtalice", stranger)
    ssh.expect(NUMBER)
    world.sim.deny(ALICE)
    ssh.sendline("")
    ssh.expect(r"your last one was\s+denied.*passcode: ")
    # Another connection gets none either.
    other = sshd.connect("dtalice", stranger)
    other.expect(r"your last one was\s+denied.*passcode: ")
    other.close(force=True)
    ssh.sendline(world.sim.passcode(ALICE))
    let_in(ssh)
    assert len(world.sim.pushes()) == 1
    # Neither does one after the passcode; what the administrator does ends it.
    other = sshd.connect("dtalice", stranger)
    other.expect(r"your last one was\s+denied.*passcode: ")
    other.close(force=True)
    world.run_ctl("forget", "--limits", "--user", "dtalice")
    other = sshd.connect("dtalice", stranger)
    other.expect(NUMBER)
    other.close(force=True)


def test_denied_once_for_three_prompts(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=("push",), push="deny")
    ssh = three_prompts(sshd, "dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendline("")
    keep_out(ssh)
    world.outcome("sshd", 3)
    assert len(world.sim.pushes()) == 1
    assert [cause(e) for e in world.site.sign_ons()] == ["MFA_REJECTED"] + ["MFA_PUSH_PAUSED"] * 2


@pytest.mark.parametrize("pause", ("5m", "0"))
def test_one_push_for_each_connection(world: PamWorld, sshd: Sshd, stranger: Any,
                                      pause: str) -> None:
    """Not after a time-out either, and by no other door of the same connection."""
    world.restart_daemon({"mfa": {"wait_pam": "3s", "push_pause": pause}})
    ssh = three_prompts(sshd, "dtalice", stranger)
    ssh.expect(NUMBER)
    world.outcome("sshd")
    ssh.sendline("")
    ssh.expect(r"Only one push is sent per\s+connection.*passcode: ")
    world.outcome("sshd", 2)
    ssh.sendline("")
    ssh.expect(r"Only one push is sent per\s+connection.*passcode: ")
    ssh.sendline(world.sim.passcode(ALICE))
    let_in(ssh)
    assert len(world.sim.pushes()) == 1
    # Another connection is another matter.
    other = sshd.connect("dtalice", stranger)
    other.expect(NUMBER)
    assert len(world.sim.pushes()) == 2
    other.close(force=True)


def test_scp_with_nobody_there_sends_one_push(world: PamWorld, sshd: Sshd, stranger: Any,
                                              tmp_path: Any) -> None:
    """As from cron: no terminal, no BatchMode, three prompts that ssh answers with nothing."""
    world.restart_daemon({"mfa": {"wait_pam": "3s"}})
    command = sshd.command("dtalice", stranger)
    options = [w.replace("Prompts=1", "Prompts=3") for w in command[1:command.index("echo") - 1]]
    options[options.index("-p")] = "-P"
    source = tmp_path / "file"
    source.write_text("x")
    copy = subprocess.run(["scp", *options, str(source), "dtalice@127.0.0.1:/tmp/devtrust-scp"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          start_new_session=True, timeout=LIMIT,
                          env={"PATH": os.environ["PATH"], "HOME": str(sshd.directory)})
    assert copy.returncode != 0, copy.stderr
    assert len(world.sim.pushes()) == 1


def test_a_second_login_may_use_a_passcode(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    first = sshd.connect("dtalice", stranger)
    first.expect(NUMBER)
    second = sshd.connect("dtalice", stranger)
    second.expect(PENDING)
    second.sendline(world.sim.passcode(ALICE))
    let_in(second)
    world.sim.approve(ALICE)
    first.sendline("")
    let_in(first)
    assert len(world.sim.pushes()) == 1
    assert [cause(e) for e in world.site.sign_ons()] == ["MFA_SUCCESS"] * 2


def test_passcodes_are_limited_over_connections(world: PamWorld, sshd: Sshd,
                                                stranger: Any) -> None:
    world.sim.reset()
    world.sim.add_user(ALICE, factors=("token:software:totp",))
    before = world.sim.count("okta.verify")
    for guess in range(4):
        ssh = sshd.connect("dtalice", stranger)
        ssh.expect("passcode: ")
        ssh.sendline(f"00000{guess}")
        ssh.expect("not accepted.*passcode: ")
        ssh.close(force=True)
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect("passcode: ")
    ssh.sendline(world.sim.passcode(ALICE))
    keep_out(ssh)
    assert world.sim.count("okta.verify") - before == 4
    wait_until(lambda: "MFA_PASSCODE_LIMIT" in [cause(e) for e in world.site.sign_ons()],
               "the limit's event")


# --- leaving -----------------------------------------------------------------------------------

def gone(world: PamWorld, sshd: Sshd) -> None:
    """No process of the connection is left, and the push has been cancelled."""
    wait_until(lambda: not sshd.children(), "the connection's processes are gone", 10.0)
    wait_until(lambda: world.sim.count("okta.cancel") == 1, "the push is cancelled", 10.0)
    assert any(r["method"] == "DELETE" for r in world.sim.requests("cancel"))
    assert cause(world.outcome("sshd")) == "CLIENT_GONE"


def test_client_killed_at_the_prompt(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.kill(signal.SIGKILL)
    gone(world, sshd)
    ssh.close(force=True)


def test_client_killed_while_waiting(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendline("")
    wait_until(lambda: world.sim.count("okta.poll") >= 2, "polls after Enter")
    ssh.kill(signal.SIGKILL)
    gone(world, sshd)
    ssh.close(force=True)


def test_interrupt_at_the_prompt(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendintr()
    gone(world, sshd)
    ssh.close(force=True)


def test_client_leaves_while_intune_is_asked(world: PamWorld, sshd: Sshd) -> None:
    world.sim.fault("delay", listener="graph", seconds=20)
    ssh = sshd.connect("dtalice", enrolled(world, sshd, "device-p256"))
    wait_until(lambda: world.sim.statistics()["in_flight"], "a request to Graph")
    ssh.kill(signal.SIGKILL)
    wait_until(lambda: not sshd.children(), "the connection's processes are gone", 10.0)
    assert cause(world.outcome("sshd")) == "CLIENT_GONE"
    ssh.close(force=True)


# --- the daemon fails --------------------------------------------------------------------------

def test_daemon_killed_at_the_prompt(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    world.stop_daemon(signal.SIGKILL)
    world.sim.approve("dtalice@example.com")
    ssh.sendline("")
    keep_out(ssh)
    world.start_daemon()
    # It cannot be told whether somebody still waits for that push: it lets nobody in, and holds
    # the next one back for as long as its sign-on could have waited. A passcode goes on.
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(PENDING)
    ssh.sendline(world.sim.passcode(ALICE))
    let_in(ssh)
    assert len(world.sim.pushes()) == 1

    def gets_a_push() -> bool:
        other = sshd.connect("dtalice", stranger)
        got = other.expect([PENDING, NUMBER]) == 1
        other.close(force=True)
        return got

    wait_until(gets_a_push, "the killed daemon's push no longer counts")
    assert len(world.sim.pushes()) == 2


def test_daemon_killed_while_waiting(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.sendline("")
    wait_until(lambda: world.sim.count("okta.poll") >= 2, "polls after Enter")
    begin = time.monotonic()
    world.stop_daemon(signal.SIGKILL)
    keep_out(ssh)
    assert time.monotonic() - begin < 15


def test_daemon_told_to_stop(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    """Who waits is refused, pushes are cancelled, the event is written, and it ends well."""
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    assert world.stop_daemon(signal.SIGINT) == 0
    ssh.sendline("")
    keep_out(ssh)
    assert world.sim.count("okta.cancel") == 1
    assert cause(world.outcome("sshd")) == "BUSY"
    assert not world.site.socket_path.exists()


def test_without_a_daemon(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.stop_daemon()
    let_in(sshd.connect("dtalice", enrolled(world, sshd, "device-p256")))
    assert cause(world.outcome("sshd")) == "RULE_ALLOW"
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    world.sim.approve("dtalice@example.com")
    ssh.sendline("")
    let_in(ssh)
    assert cause(world.outcome("sshd", 2)) == "MFA_SUCCESS"


def test_without_a_daemon_client_killed(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    world.stop_daemon()
    ssh = sshd.connect("dtalice", stranger)
    ssh.expect(NUMBER)
    ssh.kill(signal.SIGKILL)
    gone(world, sshd)
    ssh.close(force=True)


# --- sshd set up otherwise ---------------------------------------------------------------------

def test_public_key_alone_without_a_session_line_is_refused(world: PamWorld) -> None:
    """sshd tells the account phase of no key then, and can show no prompt there: an enrolled
    laptop is an unknown device that cannot be asked. Refused without a wait, and no phone
    rings."""
    service = world.pam_directory / "sshd"
    text = service.read_text()
    ours = [line for line in text.splitlines() if line.startswith("session")][0]
    assert "pam_devtrust.so" in ours
    service.write_text(text.replace(ours + "\n", ""))
    try:
        with Sshd(world, AuthenticationMethods="publickey") as other:
            ssh = other.connect("dtalice", enrolled(world, other, "device-p256"))
            assert ssh.expect([IN, pexpect.EOF]) == 1
            ssh.close()
            assert ssh.exitstatus == 255
    finally:
        service.write_text(text)
    event = world.outcome("sshd")
    assert cause(event) == "MFA_NO_PROMPT" and debug(event)["deviceReason"] == "NO_CERTIFICATE"
    assert world.sim.count("okta.verify") == 0


def test_password_logins(world: PamWorld) -> None:
    """As the sample says for these: the password is asked first, and without it nobody is sent a
    push."""
    world.set_password("dtalice", "correct horse battery")
    text = (world.pam_directory / "sshd").read_text()
    wanted = "@include common-auth\nauth       required"
    (world.pam_directory / "sshd").write_text(text.replace("auth       required", wanted, 1))
    try:
        with Sshd(world, AuthenticationMethods="keyboard-interactive:pam") as other:
            key = make_key(other.directory / "unused")
            wrong = other.connect("dtalice", key)
            wrong.expect("Password: ")
            wrong.sendline("wrong")
            keep_out(wrong)
            assert world.sim.count("okta.total") == 0
            ssh = other.connect("dtalice", key)
            ssh.expect("Password: ")
            ssh.sendline("correct horse battery")
            ssh.expect(NUMBER)
            world.sim.approve("dtalice@example.com")
            ssh.sendline("")
            let_in(ssh)
    finally:
        (world.pam_directory / "sshd").write_text(text)
    assert cause(world.outcome("sshd")) == "MFA_SUCCESS"


@pytest.mark.parametrize("dns,ended", [("no", "RULE_ALLOW"), ("yes", "NETWORK_UNKNOWN")])
def test_a_name_is_no_address(world: PamWorld, dns: str, ended: str) -> None:
    """With UseDNS sshd tells a name, and nobody knows whether it is in a zone or not."""
    zones = world.site.directory / "zones.json"
    zones.write_text(json.dumps({"zones": [{"name": "here", "type": "IP", "status": "ACTIVE",
                                            "gateways": ["127.0.0.0/8"]}]}))
    here = {"connection": "ZONE", "include": ["here"]}
    rules = [sites.rule("Here", 1, network=here),
             sites.rule("Elsewhere", 2, access="DENY",
                        network={"connection": "ZONE", "exclude": ["here"]}), sites.catch_all()]
    before = (world.site.policy_directory / "sshd.json").read_text()
    world.stop_daemon()
    world.site.configure({"policy": {"zones_file": zones}})
    world.site.set_policy({"name": "sshd", "application": "sshd", "rules": rules})
    world.start_daemon()
    try:
        with Sshd(world, UseDNS=dns) as sshd:
            key = make_key(world.directory / f"named-{dns}")
            sshd.allow("dtalice", key)
            ssh = sshd.connect("dtalice", key)
            if ended == "RULE_ALLOW":
                let_in(ssh)
            else:
                keep_out(ssh)
            event = world.outcome("sshd")
            assert cause(event) == ended
            if dns == "yes":
                assert "UseDNS" in debug(event)["detail"]
    finally:
        world.stop_daemon()
        world.site.configure({"policy": {"zones_file": None}})
        (world.site.policy_directory / "sshd.json").write_text(before)


def test_two_at_once(world: PamWorld, sshd: Sshd, stranger: Any) -> None:
    """Each has its own push and number; what is approved for one does not let in the other."""
    world.sim.add_user("dtcarol@example.com", factors=BOTH)
    key = make_key(world.directory / f"carol-{os.getpid()}")
    sshd.allow("dtcarol", key)
    one = sshd.connect("dtalice", stranger)
    two = sshd.connect("dtcarol", key)
    one.expect(NUMBER)
    two.expect(NUMBER)
    world.sim.approve("dtcarol@example.com")
    world.sim.deny("dtalice@example.com")
    one.sendline("")
    two.sendline("")
    let_in(two)
    keep_out(one)
    assert {cause(e) for e in world.site.sign_ons()} == {"MFA_SUCCESS", "MFA_REJECTED"}


# --- report only ---------------------------------------------------------------------------------

@pytest.fixture
def reporting(world: PamWorld) -> Iterator[None]:
    """Nothing is enforced, and the policy would deny everybody."""
    world.site.set_policy(deny_all("sshd"))
    world.restart_daemon({"policy": {"report_only": "yes"}})
    yield
    world.site.set_policy(sites.guide_policy("sshd"))
    world.site.configure({"policy": {"report_only": None}})


def test_report_only_lets_in_by_the_key(world: PamWorld, sshd: Sshd, stranger: Any,
                                        reporting: None) -> None:
    """By the shipped sample as it is: sshd has verified the key, and nobody is asked anything."""
    let_in(sshd.connect("dtalice", stranger))
    event = debug(world.outcome("sshd"))
    assert event["cause"] == "REPORT_ONLY" and event["wouldCause"] == "RULE_DENY"
    assert world.sim.count("okta.total") == 0
    world.restart_daemon({"policy": {"report_only": "no"}})
    keep_out(sshd.connect("dtalice", stranger))


@pytest.mark.parametrize("settings", [
    {"AuthenticationMethods": "keyboard-interactive:pam"},
    {"AuthenticationMethods": "password", "PasswordAuthentication": "yes"},
    {"AuthenticationMethods": "any", "PasswordAuthentication": "yes"}])
def test_report_only_lets_in_nobody_without_a_key(world: PamWorld, reporting: None,
                                                  settings: dict[str, str]) -> None:
    """The sample checks no password, so nothing stands for the first factor."""
    key = make_key(world.directory / ("nokey-" + uuid.uuid4().hex))
    with Sshd(world, **settings) as server:
        ssh = server.connect("dtalice", key)
        for _ in range(4):
            if ssh.expect(["assword:", OUT, "Too many authentication failures", IN]) != 0:
                break
            ssh.sendline("anything")
        assert IN not in ssh.before + str(ssh.after)
        ssh.close(force=True)
