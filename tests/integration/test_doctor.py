# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl doctor on a host that was set up: one thing after another is broken, doctor names it,
# and what it says to type makes it whole.
"""devtrustctl doctor."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, Optional

import pytest

from tests.lib.new_host import RADDB, Host, Server, new_host, radius_of
from tests.lib.pamworld import wait_until

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
        daemon = Server(made, made.directory / "daemon.log", b"", "/usr/sbin/devtrustd")
        with daemon, radius_of(made):
            wait_until(lambda: made.path("/run/devtrust/devtrustd.sock").exists(), "devtrustd")
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
    "nothing answers": (None, "daemon.socket", "nobody listens", None),
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


@pytest.mark.parametrize("case", [name for name in BROKEN if name != "nothing answers"])
def test_what_it_says_to_do_helps(host: Host, case: str) -> None:
    script, check, what, advice = BROKEN[case]
    assert script is not None
    host.shell(script)
    found = [one for one in troubles(host, "--offline", code=1)
             if one["check"].startswith(check) and one["status"] == "fault"]
    try:
        assert found and what in found[0]["what"], found
    finally:
        follow(host, case, advice, found)
    check_whole(host)
