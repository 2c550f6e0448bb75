# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl doctor on a host that was set up: one thing after another is broken, doctor names it,
# and what it says to type makes it whole.
"""devtrustctl doctor."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator, Optional

import pexpect
import pytest

from tests.lib.new_host import DEVICE, RADDB, SUFFIX, Host, Server, new_host, radius_of
from tests.lib.pamworld import LIMIT, wait_until

CTL = "/usr/sbin/devtrustctl"
CONFIG = "/etc/devtrust/devtrust.conf"
# What a host without systemd or NTP, as the tests have it, is always warned of.
OF_THE_HOST = {"clock.synchronized"}


@pytest.fixture(scope="module")
def host(pki_index: dict[str, Any]) -> Iterator[Host]:
    with new_host(pki_index) as made:
        made.setup("--answers", "/root/answers", "--yes", "--enforce")
        # As doctor advises: the distribution's own value locks root out behind devtrust.
        made.shell("sed -i '1i PermitRootLogin no' /etc/ssh/sshd_config")
        with Server(made, made.directory / "daemon.log", b"", "/usr/sbin/devtrustd"):
            wait_until(lambda: made.path("/run/devtrust/devtrustd.sock").exists(), "devtrustd")
            with radius_of(made):
                yield made


@pytest.fixture(scope="module")
def silent(pki_index: dict[str, Any]) -> Iterator[Host]:
    """Set up as well, and no server runs."""
    with new_host(pki_index) as made:
        made.setup("--answers", "/root/answers", "--yes", "--enforce")
        made.shell("sed -i '1i PermitRootLogin no' /etc/ssh/sshd_config")
        yield made


def ask(host: Host, *options: str, code: int) -> list[dict[str, Any]]:
    done = host.run(CTL, "doctor", "--json", *options, check=False)
    assert done.returncode == code, done.stdout
    *found, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert last["check"] == "doctor"
    assert last["faults"] == sum(one["status"] == "fault" for one in found)
    for one in found:
        assert one["what"], one
        if one["status"] in ("fault", "warning"):
            assert one["why"] and one["do"], one
    return found


def troubles(host: Host, *options: str, code: int) -> list[dict[str, Any]]:
    return [one for one in ask(host, *options, code=code)
            if one["status"] != "ok" and one["check"] not in OF_THE_HOST]


def check_whole(host: Host) -> None:
    assert not [one for one in troubles(host, "--offline", code=0) if one["status"] == "fault"]


def test_a_host_that_was_set_up_is_in_order(host: Host) -> None:
    found = ask(host, code=0)
    good = {one["check"] for one in found if one["status"] == "ok"}
    assert {"pam.module", "daemon.program", "daemon.user", "daemon.socket", "pam.service",
            "radius.module", "radius.site", "radius.config", "radius.port.auth",
            "radius.owner.auth", "radius.port.acct", "radius.owner.acct", "okta.org", "okta.clock",
            "okta.credential", "microsoft.permission", "config.store"} <= good, found
    assert not [one for one in found if one["status"] in ("fault", "unseen")]


# What is broken; the finding; what it says; the part of its advice that is typed as it is.
BROKEN = {
    "the user is gone": ("sed -i /^devtrust:/d /etc/passwd /etc/shadow", "daemon.user",
                         "no user devtrust", "systemd-sysusers .*"),
    "the token can be read by all": ("chmod 644 /etc/devtrust/okta.token", "config.load",
                                     "can be read by", r"ch(mod|own) .*"),
    "the policies can be written by all": ("chmod 777 /etc/devtrust/policies", "config.load",
                                           "/etc/devtrust/policies", "chmod .*"),
    "the configuration can be written by all": ("chmod 666 /etc/devtrust/devtrust.conf",
                                                "config.load", CONFIG, "chmod .*"),
    "the store is somebody else's": ("chown root /var/lib/devtrust/state.db*", "config.store",
                                     "/var/lib/devtrust/state.db", "chown .*"),
    "the store's journal is": ("chown root /var/lib/devtrust/state.db-*", "config.store",
                               "/var/lib/devtrust/state.db-", "chown .*"),
    "the audit log is somebody else's": ("touch /var/log/devtrust/audit.log; "
                                         "chown ann /var/log/devtrust/audit.log",
                                         "config.audit", "audit.log", "chown .*"),
    "the daemon's program is gone": ("mv /usr/sbin/devtrustd /root/", "daemon.program",
                                     "/usr/sbin/devtrustd is missing", None),
    "the PAM module is gone": ("mv /usr/lib/*/security/pam_devtrust.so /root/", "pam.module",
                               "pam_devtrust.so is missing", None),
    "the server's module is gone": ("mv /usr/lib/freeradius/rlm_devtrust.so /root/",
                                    "radius.module", "rlm_devtrust.so is missing", None),
    "the server has no time": (f"sed -i 's/max_request_time = .*/max_request_time = 15/' "
                               f"{RADDB}/radiusd.conf", "radius.config", "max_request_time = 15",
                               None),
    "the org is still the sample's": ("sed -i 's,^org_url = .*,org_url = https://example.okta.com,'"
                                      f" {CONFIG}", "config.placeholders", "example.okta.com",
                                      None),
    "a policy is gone": ("mv /etc/devtrust/policies/sudo.json /root/", "pam.cannot_work",
                         "sudo has no policy", None),
    "sshd lets people around it": ("sed -i '1i UsePAM no' "
                                   "/etc/ssh/sshd_config", "pam.", "sshd", None),
}
# How somebody follows an advice that is not one command.
FOLLOWED = {
    "the daemon's program is gone": "mv /root/devtrustd /usr/sbin/",
    "the PAM module is gone": "mv /root/pam_devtrust.so /usr/lib/$(gcc -print-multiarch)/security/",
    "the server's module is gone": "mv /root/rlm_devtrust.so /usr/lib/freeradius/",
    "the server has no time": f"sed -i 's/max_request_time = .*/max_request_time = 60/' "
                              f"{RADDB}/radiusd.conf",
    "a policy is gone": "mv /root/sudo.json /etc/devtrust/policies/",
    "sshd lets people around it": "sed -i 1d /etc/ssh/sshd_config",
}


def follow(host: Host, case: str, advice: Optional[str], found: list[dict[str, Any]]) -> None:
    """Types what is advised, of each such finding."""
    if case == "the org is still the sample's":
        assert "write your own" in found[0]["do"], found
        host.shell(f"sed -i 's,^org_url = .*,org_url = {host.sim.okta_url},' {CONFIG}")
    elif advice is None:
        host.shell(FOLLOWED[case])
    else:
        for one in found:
            typed = re.search(advice, one["do"])
            assert typed, found
            host.shell(typed[0])


@pytest.mark.parametrize("case", BROKEN)
def test_what_it_says_to_do_helps(host: Host, case: str) -> None:
    script, check, what, advice = BROKEN[case]
    host.shell(script)
    found = [one for one in troubles(host, "--offline", code=1)
             if one["check"].startswith(check) and one["status"] == "fault"]
    try:
        assert found and what in found[0]["what"], found
    finally:
        follow(host, case, advice, found)
    check_whole(host)


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in found}


def test_servers_that_do_not_run(silent: Host) -> None:
    """What is advised is typed; nobody listens before, and the server does after."""
    found = by_name(ask(silent, "--offline", code=1))
    assert "nobody listens on UDP port" in found["radius.port.auth"]["what"], found
    assert found["radius.port.auth"]["status"] == "fault"
    assert found["radius.port.acct"]["status"] == "warning"
    assert "nobody listens at" in found["daemon.socket"]["what"], found
    assert "systemctl" not in found["radius.port.auth"]["do"], "no systemd runs here"
    assert found["radius.port.auth"]["do"].endswith(": freeradius"), found
    with radius_of(silent):
        found = by_name(ask(silent, "--offline", code=0))
        assert found["radius.port.auth"]["status"] == found["radius.owner.auth"]["status"] == "ok"


def test_another_program_has_the_port(silent: Host) -> None:
    holder = silent.inside(["python3", "-c", "import socket, time\n"
                            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                            f"s.bind(('127.0.0.1', {silent.vpn_port}))\n"
                            "print('bound', flush=True)\ntime.sleep(600)"])
    with subprocess.Popen(holder, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"bound\n"
        found = by_name(ask(silent, "--offline", code=1))
        other.kill()
    assert found["radius.owner.auth"]["status"] == "fault"
    assert re.search(r"not FreeRADIUS but python3.* \(process \d+\)",
                     found["radius.owner.auth"]["what"]), found
    assert "end that program" in found["radius.owner.auth"]["do"]


def test_as_another_user_it_says_what_it_does_not_see(silent: Host) -> None:
    done = silent.run("runuser", "-u", "ann", "--", CTL, "doctor", "--offline", check=False)
    assert done.returncode in (1, 3), done.stdout
    assert "unseen  pam.sshd" in done.stdout and "unseen  radius.config" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("run it as root to see all")


def test_report_only_is_warned_of(silent: Host) -> None:
    silent.shell(f"sed -i 's/^report_only = .*/report_only = yes/' {CONFIG}")
    found = [one for one in ask(silent, "--offline", code=1)
             if one["check"] == "config.report_only"]
    silent.shell(f"sed -i 's/^report_only = .*/report_only = no/' {CONFIG}")
    assert found and all(one["status"] == "warning" for one in found)
    assert "devtrustctl setup --enforce" in found[0]["do"], found


def test_what_ends_is_found(silent: Host) -> None:
    """A break-glass account that is about to end, and one that has ended."""
    config = silent.path(CONFIG)
    before = config.read_text()
    for days, status, code in ((9, "warning", 1), (-9, "fault", 1), (40, "", 1)):
        at = datetime.now(timezone.utc) + timedelta(days=days)
        config.write_text(before.replace("\n[break_glass]\n", "\n[break_glass]\nusers = ann\n"
                                         f"until = {at:%Y-%m-%dT%H:%MZ}\n"))
        found = by_name(ask(silent, "--offline", code=code))
        assert found.get("config.expiry", {}).get("status", "") == status, [
            one for one in found.values() if one["status"] != "ok"]
        if status:
            assert f"{at:%Y-%m-%d}" in found["config.expiry"]["what"]
            assert "set a later time" in found["config.expiry"]["do"]
    config.write_text(before)


def test_without_a_configuration(silent: Host) -> None:
    silent.shell("mv /etc/devtrust /etc/devtrust.away")
    found = by_name(ask(silent, "--offline", code=1))
    silent.shell("mv /etc/devtrust.away /etc/devtrust")
    assert found["config.load"]["status"] == "fault"
    assert "devtrustctl setup" in found["config.load"]["do"]


def test_a_person(host: Host) -> None:
    login = "dora" + SUFFIX
    rows = [({"status": "ACTIVE"}, ("push",), "user.factors", "ok", "can use push"),
            ({"status": "ACTIVE"}, (), "user.factors", "fault", "the account has none"),
            ({"status": "ACTIVE"}, ("sms",), "user.factors", "fault", "the account has sms"),
            ({"status": "SUSPENDED"}, ("push",), "user.okta", "fault", "SUSPENDED"),
            ({"status": "LOCKED_OUT"}, ("push",), "user.okta", "fault", "LOCKED_OUT")]
    for account, factors, check, status, what in rows:
        host.sim.add_user(login, factors=factors, **account)
        found = by_name(ask(host, "--user", "dora", code=1 if status == "fault" else 0))
        host.sim.remove_user(login)
        assert found[check]["status"] == status and what in found[check]["what"], found
    found = by_name(ask(host, "--user", "dora", code=1))
    assert "Okta knows no login dora" in found["user.okta"]["what"]
    found = by_name(ask(host, "--user", "do ra", code=1))
    assert found["user.name"]["status"] == "fault"


def test_a_device(host: Host) -> None:
    """The guide's list: the certificate, enrolment, compliance and Check access."""
    device = host.pki["devices"][DEVICE]
    identifier = device["device_id"]
    shutil.copy(device["files"]["certificate"], host.path("/root/shown.pem"))
    found = by_name(ask(host, "--device", "/root/shown.pem", code=0))
    assert {found[name]["status"] for name in ("device.certificate", "device.enrolment",
                                               "device.compliance")} == {"ok"}
    host.sim.make_noncompliant(identifier)
    found = by_name(ask(host, "--device", identifier, code=1))
    assert found["device.compliance"]["status"] == "fault"
    assert "Check access" in found["device.compliance"]["do"]
    host.sim.make_compliant(identifier)
    found = by_name(ask(host, "--device", identifier, code=0))
    assert "device.certificate" not in found
    unknown = "11111111-2222-4333-8444-555555555555"
    found = by_name(ask(host, "--device", unknown, code=1))
    assert f"Intune knows no device {unknown}" in found["device.enrolment"]["what"]
    foreign = host.pki["devices"]["foreign-ca"]["files"]["certificate"]
    shutil.copy(foreign, host.path("/root/foreign.pem"))
    found = by_name(ask(host, "--device", "/root/foreign.pem", code=1))
    assert "UNTRUSTED_ISSUER" in found["device.certificate"]["what"]
    assert "ca_file" in found["device.certificate"]["do"]
    found = by_name(ask(host, "--device", "/root/missing.pem", code=1))
    assert found["device.certificate"]["status"] == "fault"


def test_okta_is_away(host: Host) -> None:
    host.sim.listener("okta", "down")
    found = by_name(ask(host, code=1))
    host.sim.listener("okta", "up")
    assert found["okta.org"]["status"] == "fault"


@pytest.mark.parametrize("terminal, variable, coloured", [
    (True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, True),
    (True, {"TERM": "dumb"}, False), (False, {}, False)])
def test_colours_on_a_terminal_alone(host: Host, terminal: bool, variable: dict[str, str],
                                     coloured: bool) -> None:
    command = host.inside(["env", *(f"{name}={value}" for name, value in variable.items()), CTL,
                           "doctor", "--offline"])
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"}
    if terminal:
        child = pexpect.spawn(command[0], command[1:], env=environment, timeout=LIMIT)
        child.expect(pexpect.EOF)
        said = child.before
    else:
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                              check=False).stdout
    assert b"in order" in said and (b"\x1b[" in said) == coloured, said


@pytest.mark.parametrize("options", [["--offline", "--user", "ann"], ["x"], ["--device"],
                                     ["--usr", "a"]])
def test_wrong_commands_are_refused(host: Host, options: list[str]) -> None:
    done = host.run(CTL, "doctor", *options, check=False)
    assert done.returncode == 2 and "doctor" in done.stdout, done.stdout


def test_another_configuration(host: Host) -> None:
    """--config works beside the default; the file that it names is the one that is read."""
    for option in ("-c", "--config"):
        done = host.run(CTL, "doctor", "--offline", option, "/etc/devtrust/other.conf", check=False)
        assert "/etc/devtrust/other.conf does not exist" in done.stdout, done
