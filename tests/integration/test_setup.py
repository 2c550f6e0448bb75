# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl setup on a host of its own: what `make install` puts there, over a copy of this system
# in a private mount namespace; then real sshd, sudo and FreeRADIUS with what setup wrote.
"""devtrustctl setup, from an answer file to logins, and back."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pexpect
import pytest
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          load_pem_private_key)

from tests.lib.new_host import (DEVICE, PASSWORD, RADDB, SECRET, SUFFIX, Host, new_host,
                                radius_of, sshd_of)
from tests.lib.pamworld import LIMIT, wait_until
from tests.lib.person import Seen, sign_on
from tests.lib.radius import Client, tls_network, ttls_network
from tests.lib.sshd import PROMPT, make_key

ACCEPT = 2  # RFC 2865, Access-Accept


@pytest.fixture(scope="module")
def host(pki_index: dict[str, Any]) -> Iterator[Host]:
    with new_host(pki_index) as made:
        yield made


@pytest.fixture
def fresh(host: Host) -> Iterator[Host]:
    yield host
    host.setup("--undo", check=False)


def answer_push(host: Host, user: str) -> Any:
    def answer(seen: str) -> str:
        host.sim.approve(user + SUFFIX)
        return ""
    return answer


def sudo_as(host: Host, user: str) -> Seen:
    return sign_on(host.inside(["runuser", "-u", user, "--", "sudo", "id"]), PASSWORD,
                   answer_push(host, user))


def test_dry_run_writes_nothing(host: Host) -> None:
    before = host.snapshot()
    said = host.setup("--answers", "/root/answers", "--dry-run").stdout
    assert "change /etc/pam.d/sshd" in said and "+auth       required   pam_devtrust.so" in said
    assert "nothing was written" in said
    assert SECRET not in said and host.path("/root/token").read_text().strip() not in said
    assert host.snapshot() == before
    assert not host.path("/var/backups/devtrust").exists()


def test_second_run_has_nothing_to_do_and_undo_puts_all_back(fresh: Host) -> None:
    host = fresh
    before = host.snapshot()
    assert "report-only" in host.setup("--answers", "/root/answers").stdout
    after = host.snapshot()
    assert after != before
    assert after["/etc/devtrust/okta.token"].startswith("100640 0:")
    again = json.loads(host.setup("--answers", "/root/answers", "--json").stdout)
    assert (again["changes"], again["outcome"]) == (0, "nothing to do")
    assert again["mode"] == "report-only"
    # Without any answers it goes by those of before.
    assert "nothing to do" in host.setup().stdout
    assert host.snapshot() == after
    host.run("/usr/sbin/devtrustctl", "check-config")
    host.run("/usr/sbin/devtrustctl", "--radius", "check-config")
    host.setup("--undo")
    assert host.snapshot() == before
    assert "nothing to undo" in host.setup("--undo", check=False).stdout


def edit(host: Host, **changes: str) -> str:
    text = host.answers.read_text()
    lines = [line for line in text.splitlines() if line.split(" = ")[0] not in changes]
    lines += [f"{key} = {value}" for key, value in changes.items() if value]
    host.path("/root/other").write_text("\n".join(lines) + "\n")
    return "/root/other"


@pytest.mark.parametrize("changes, says", [
    ({"applications": "ssh"}, "did you mean sshd?"),
    ({"org_url": "https://127.0.0.1:1"}, "FAULT   okta"),
    ({"api_token_file": "/root/company.pem"}, "can be read by others"),
    ({"api_token_file": "/root/gateway.secret"}, "FAULT   okta"),
    ({"api_token_file": "/root/no-such-file"}, "does not exist"),
    ({"intune_key_file": "/root/gateway.secret"}, "FAULT"),
    ({"tenant_id": "c1111111-1111-2222-3333-444444444444"}, "FAULT   intune"),
    ({"company_ca_file": "/root/answers"}, "company_ca_file"),
    ({"company_ca_file": "/root/graph.pem"},
     "FAULT   configuration: /etc/devtrust/devtrust.conf:"),
    ({"device_certificate": "/root/graph.pem"}, "FAULT   device"),
    ({"radius_clients": "gateway 127.0.0.1 /root/short"}, "8 to 256 characters"),
    ({"orgurl": "x"}, "did you mean org_url?"),
])
def test_what_is_wrong_is_said_and_nothing_is_written(host: Host, changes: dict[str, str],
                                                      says: str) -> None:
    before = host.snapshot()
    host.path("/root/short").write_text("short\n")
    host.path("/root/short").chmod(0o600)
    done = host.setup("--answers", edit(host, **changes), check=False)
    assert done.returncode in (1, 2) and says in done.stdout
    assert host.snapshot() == before


@pytest.mark.parametrize("script, says", [
    ("ln -sf /tmp/elsewhere /etc/pam.d/sudo", "symbolic link"),
    ("echo 'auth required pam_unix.so' >/etc/pam.d/sudo", "common-auth"),
    # It is only found out by the server itself, after everything was written.
    ("echo 'no such = {' >>/etc/freeradius/3.0/clients.conf", "nothing was changed"),
])
def test_what_stands_in_the_way_leaves_all_as_it_was(host: Host, script: str, says: str) -> None:
    host.shell("rm -rf /root/kept; cp -a /etc/pam.d /root/kept; "
               f"cp -a {RADDB}/clients.conf /root/clients.conf")
    try:
        host.shell(script)
        before = host.snapshot()
        done = host.setup("--answers", "/root/answers", check=False)
        assert done.returncode == 2 and says in done.stdout
        assert host.snapshot() == before
    finally:
        host.shell("rm /etc/pam.d/sudo; cp -a /root/kept/sudo /etc/pam.d/sudo; "
                   f"cp -a /root/clients.conf {RADDB}/clients.conf")


def test_report_only_lets_everybody_in_as_before(fresh: Host) -> None:
    host = fresh
    host.setup("--answers", "/root/answers")
    key = make_key(Path(tempfile.mkdtemp(dir=host.directory)) / "stranger")
    host.allow_key("bob", key)
    with sshd_of(host):
        done = subprocess.run(host.ssh("bob", key, "BatchMode=yes"), text=True, timeout=LIMIT,
                              capture_output=True, stdin=subprocess.DEVNULL)
        assert "uid=" in done.stdout, done.stderr
    assert sudo_as(host, "bob").inside
    assert not host.sim.pushes("bob" + SUFFIX)
    wait_until(lambda: [e for e in host.events() if "REPORT_ONLY" in json.dumps(e)
                        or '"would"' in json.dumps(e)], "a report")


def device_of(host: Host, folder: Path) -> Path:
    """A device that Intune knows, enrolled here; its key, for ssh."""
    device = host.pki["devices"][DEVICE]
    for name in ("certificate", "key"):
        shutil.copy(device["files"][name], host.path(f"/root/device.{name}"))
    host.run("/usr/sbin/devtrustctl", "device", "add", "/root/device.certificate")
    key = folder / "device"
    pem = load_pem_private_key(Path(device["files"]["key"]).read_bytes(), None)
    key.write_bytes(pem.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    key.chmod(0o600)
    return key


def let_in(host: Host, user: str, key: Path, pushed: bool) -> None:
    """By ssh, with a push or without anything."""
    host.allow_key(user, key)
    command = host.ssh(user, key)
    child = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8")
    if pushed:
        child.expect(PROMPT)
        host.sim.approve(user + SUFFIX)
        child.sendline("")
    assert child.expect([r"uid=\d+", PROMPT, pexpect.EOF]) == 0, child.before
    child.close()


def vpn_login(host: Host, user: str) -> int:
    client = Client(host.vpn_port, SECRET.encode(),
                    **{"NAS-Identifier": "gateway", "Calling-Station-Id": "198.51.100.7"})
    pending = client.start(user, PASSWORD)
    host.sim.approve(user + SUFFIX)
    return pending.wait().code


def test_enforced_trusted_and_untrusted_at_each_door(fresh: Host) -> None:
    """One configuration: sshd, sudo and FreeRADIUS, with what setup wrote."""
    host = fresh
    host.setup("--answers", "/root/answers")
    assert "enforced" in host.setup("--enforce").stdout
    # Later runs keep to it.
    assert "nothing to do" in host.setup("--answers", "/root/answers").stdout
    folder = Path(tempfile.mkdtemp(dir=host.directory))
    with sshd_of(host):
        let_in(host, "bob", make_key(folder / "stranger"), pushed=True)
        let_in(host, "ann", device_of(host, folder), pushed=False)
    # This host's own certificate is the evidence at sudo; what setup does not know stays as set.
    conf = host.path("/etc/devtrust/devtrust.conf")
    text = conf.read_text()
    assert sudo_as(host, "bob").inside
    pushed = len(host.sim.pushes())
    host.shell("install -m 0640 -g devtrust /root/device.key /etc/devtrust/host.key; "
               "install -m 0644 /root/device.certificate /etc/devtrust/host.pem")
    conf.write_text(text.replace("[device_trust]\n", "[device_trust]\n"
                                 "host_certificate_file = /etc/devtrust/host.pem\n"
                                 "host_key_file = /etc/devtrust/host.key\n")
                    + "\n[daemon]\nperson_at_host = service\n")
    assert "nothing to do" in host.setup().stdout
    assert sudo_as(host, "ann").inside
    assert len(host.sim.pushes()) == pushed
    with radius_of(host):
        assert vpn_login(host, "ann") == ACCEPT
    assert len(host.sim.pushes()) == pushed + 1
    log = host.events("/var/log/devtrust-radius/audit.log")
    assert "MFA_SUCCESS" in [e["debugContext"]["debugData"].get("cause") for e in log]
    conf.write_text(text)


def wifi_login(host: Host, network: str, station: str) -> bool:
    config = host.directory / "network.conf"
    config.write_text(network)
    done = subprocess.run(["eapol_test", "-c", config, "-a", "127.0.0.1", "-p", str(host.wifi_port),
                           "-s", SECRET, "-M", station, "-t", "40"], text=True, timeout=LIMIT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.strip().endswith("SUCCESS")


def test_wifi_by_the_same_configuration(fresh: Host) -> None:
    """A device's certificate lets in; a password leads to a push, and a denied one keeps out."""
    host = fresh
    host.setup("--enforce", "--answers", edit(host, applications="vpn, wifi",
                                              radius_certificate_file="/root/radius.pem",
                                              radius_key_file="/root/radius.key"))
    pushed = len(host.sim.pushes())
    with radius_of(host):
        assert wifi_login(host, tls_network(host, "ann", host.pki["devices"][DEVICE]),
                          "02:00:00:00:00:01")
        assert len(host.sim.pushes()) == pushed
        for mode, station, result in (("approve", "02:00:00:00:00:02", True),
                                      ("deny", "02:00:00:00:00:03", False)):
            host.sim.set_push("ann" + SUFFIX, mode)
            assert wifi_login(host, ttls_network(host, "ann", PASSWORD), station) == result
    host.sim.set_push("ann" + SUFFIX, "manual")
    # FreeRADIUS alone: no PAM service was touched.
    assert "pam_devtrust" not in host.path("/etc/pam.d/sshd").read_text()


def test_asks_at_the_terminal_without_showing_secrets(fresh: Host) -> None:
    host = fresh
    token = host.path("/root/token").read_text().strip()
    answers = dict(line.split(" = ") for line in host.answers.read_text().splitlines())
    given = {"api_token_file": token, "device_certificate": "", "applications": "ssh, sudo"}
    options = [f"--{key.replace('_', '-')}={answers[key]}"
               for key in ("okta_ca_file", "intune_ca_file", "login_url", "graph_url")]
    command = host.inside(["/usr/sbin/devtrustctl", "setup", *options])
    child = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8")
    seen = ""
    while True:
        got = child.expect([r"(\w+): [^\r\n]*: $", r"Write these changes\? \(yes or no\): $",
                            pexpect.EOF])
        seen += (child.before or "") + (str(child.after) if got < 2 else "")
        if got:
            break
        asked = child.match[1]
        child.sendline(given.get(asked, answers.get(asked, "")))
        if asked == "applications":  # what was typed first is refused, and asked again
            given[asked] = "sshd, sudo"
    assert got == 1, seen
    child.sendline("no")
    child.expect("nothing was written")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert token not in seen
    assert "did you mean sshd?" in seen
    assert not host.path("/etc/devtrust/okta.token").exists()


def test_an_image_below_a_root(host: Host) -> None:
    """Nothing of the host itself is touched, and nothing is started."""
    before = host.snapshot()
    host.shell("rm -rf /root/image; mkdir -p /root/image/usr/share /root/image/var/backups "
               f"/root/image{RADDB}; cp -a /etc /root/image/; "
               "cp -a /usr/share/devtrust /root/image/usr/share/")
    said = host.setup("--root", "/root/image", "--answers", "/root/answers", "--enforce").stdout
    assert "systemctl" not in said
    assert host.snapshot() == before
    image = host.path("/root/image/etc")
    assert "report_only = no" in (image / "devtrust/devtrust.conf").read_text()
    assert "pam_devtrust.so" in (image / "pam.d/sshd").read_text()
    host.setup("--root", "/root/image", "--undo")
    assert "pam_devtrust.so" not in (image / "pam.d/sshd").read_text()


@pytest.mark.parametrize("options, says", [
    (["--enforce", "--report-only"], "exclude each other"),
    (["--force"], "for --undo"),
    (["--root", "image"], "from / on"),
    (["--api-token", "secret"], "not an option"),
    (["sshd"], "takes options only"),
    (["--undo"], "nothing to undo"),
    (["--yes"], "org_url is not answered"),
    (["--org-url", "http://corp.okta.com"], "https://"),
])
def test_wrong_commands_are_refused(host: Host, options: list[str], says: str) -> None:
    done = host.setup(*options, check=False)
    assert done.returncode == 2 and says in done.stdout


def test_a_stranger_does_not_get_in_once_it_is_enforced(fresh: Host) -> None:
    host = fresh
    host.setup("--answers", "/root/answers", "--enforce")
    folder = Path(tempfile.mkdtemp(dir=host.directory))
    key = make_key(folder / "stranger")
    host.allow_key("bob", key)
    host.sim.set_push("bob" + SUFFIX, "deny")
    with sshd_of(host):
        command = host.ssh("bob", key)
        child = pexpect.spawn(command[0], command[1:], timeout=LIMIT, encoding="utf-8")
        child.expect(PROMPT)
        child.sendline("")
        assert child.expect([r"uid=\d+", "(?i)denied"]) == 1
        child.close()
