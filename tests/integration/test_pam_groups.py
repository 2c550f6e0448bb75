# SPDX-License-Identifier: GPL-2.0-or-later
# The name service that tells a person's groups: files, and a real directory by nslcd that is up,
# down, or gone. Whoever is in a group that a rule names must never pass that rule because nobody
# could be asked.
"""Groups by the name service of a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.ldap import Ldap
from tests.lib.pamworld import PamWorld, pam_world, wait_until
from tests.lib.site import rule

VPN = "No entry for VPN users"
REST = "Everybody else"
PEOPLE = {"dtldap": 62001, "dtother": 62002}
GROUPS = {"vpn users": (62100, ["dtldap", "dtalice"]), "staff at large": (62101, ["dtother"])}


def policy(application: str) -> dict[str, Any]:
    people = {"groups": {"include": ["vpn users"], "exclude": []}}
    rest = {"name": REST, "priority": 2, "status": "ACTIVE", "conditions": {},
            "actions": {"appSignOn": {"access": "ALLOW"}}}
    return {"name": application, "application": application,
            "rules": [rule(VPN, 1, access="DENY", people=people), rest]}


class Host:
    """A PAM world whose accounts and groups come from files and from a directory."""

    def __init__(self, world: PamWorld, ldap: Ldap) -> None:
        self.world = world
        self.ldap = ldap
        self.switch = world.directory / "nsswitch.conf"
        self.set_switch("files ldap")
        self._run("mkdir", "-p", "/run/nslcd")
        self._run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/nslcd")
        self._run("chown", "nslcd:nslcd", "/run/nslcd")
        for source, target in ((self.switch, "/etc/nsswitch.conf"),
                               (ldap.nslcd_config(), "/etc/nslcd.conf")):
            self._run("mount", "--bind", source, target)

    def _run(self, *command: Any) -> None:
        done = self.world.run(command)
        assert done.returncode == 0, done.stderr

    def set_switch(self, groups: str, *more: str) -> None:
        """The sources of groups; the file is written in place, since it is a mount."""
        self.switch.write_text(f"passwd: files ldap\ngroup: {groups}\n"
                               + "".join(line + "\n" for line in more))

    def knows(self, user: str) -> bool:
        return self.world.run(["getent", "passwd", user]).returncode == 0

    def up(self) -> None:
        self.ldap.start()
        self.ldap.start_nslcd(self.world.inside)
        wait_until(lambda: self.knows("dtldap"), "the directory answers")

    def outcome(self, user: str) -> dict[str, Any]:
        """Signs on, and gives what came of it."""
        before = self.world.site.sign_ons()
        report = self.world.login("groups", user)
        event = self.world.outcome("groups", len(before) + 1)
        allowed = event["outcome"]["result"] == "ALLOW"
        assert (report["auth"] == "SUCCESS") == allowed, (report, event)
        return event

    def expect(self, user: str, cause: str, named: str = "") -> None:
        event = self.outcome(user)
        assert event["outcome"]["reason"] == cause, event
        if named:
            assert named in str(event), event

    def nobody_gets_in(self) -> None:
        """While the directory is asked and does not answer; some have no account without it."""
        for user in ("dtalice", "dtbob"):
            self.expect(user, "GROUPS_UNKNOWN")
        for user in PEOPLE:
            assert self.world.login("groups", user)["auth"] != "SUCCESS"


@pytest.fixture(name="host")
def a_host(pki_index: dict[str, Any]) -> Iterator[Host]:
    with Ldap(PEOPLE, GROUPS) as ldap, pam_world(pki_index, applications=["groups"]) as world:
        world.site.set_policy(policy("groups"))
        world.service("groups")
        host = Host(world, ldap)
        try:
            world.start_daemon()
            yield host
        finally:
            ldap.close()


def test_a_directory_that_goes_down_and_comes_back(host: Host) -> None:
    host.up()
    host.expect("dtldap", "RULE_DENY", VPN)
    host.expect("dtalice", "RULE_DENY", VPN)  # a local account whose groups are in the directory
    host.expect("dtother", "RULE_ALLOW", REST)
    host.expect("dtbob", "RULE_ALLOW", REST)
    host.ldap.stop()  # nslcd is there, and has nobody to ask
    host.nobody_gets_in()
    host.ldap.start()
    wait_until(lambda: host.knows("dtldap"), "nslcd has found its server")
    host.expect("dtalice", "RULE_DENY", VPN)
    host.expect("dtother", "RULE_ALLOW", REST)
    host.ldap.stop_nslcd()
    host.nobody_gets_in()
    assert '"ldap" does not answer' in host.world.log_path.read_text()
    host.ldap.start_nslcd(host.world.inside)
    wait_until(lambda: host.knows("dtldap"), "nslcd is back")
    host.expect("dtalice", "RULE_DENY", VPN)
    host.expect("dtbob", "RULE_ALLOW", REST)


@pytest.mark.parametrize("groups, more, cause", [
    ("ldap files", (), "GROUPS_UNKNOWN"),
    ("files [SUCCESS=merge] ldap", (), "GROUPS_UNKNOWN"),
    ("files [NOTFOUND=continue UNAVAIL=return] ldap [!SUCCESS=return]", (), "GROUPS_UNKNOWN"),
    ("files", ("initgroups: files ldap",), "GROUPS_UNKNOWN"),
    ("files ldap", ("initgroups: files ldap [UNAVAIL=return]",), "GROUPS_UNKNOWN"),
    ("files nosuchmodule", (), "GROUPS_UNKNOWN"),
    # Here the directory is not asked, as for everybody else on this host.
    ("files # ldap", (), "RULE_ALLOW"),
    ("files", (), "RULE_ALLOW"),
    ("files [NOTFOUND=return] ldap", (), "RULE_ALLOW"),
    ("files [!SUCCESS=return] ldap", (), "RULE_ALLOW"),
    ("files ldap", ("initgroups: files",), "RULE_ALLOW"),
    ("files ldap", ("group: files",), "RULE_ALLOW"),
    ("files systemd", (), "RULE_ALLOW"),
    ("compat", (), "RULE_ALLOW"),
])
def test_what_nsswitch_says(host: Host, groups: str, more: tuple[str, ...], cause: str) -> None:
    """The directory is down throughout."""
    host.set_switch(groups, *more)
    host.expect("dtbob", cause)


def test_a_local_group_is_enough_where_the_directory_is_not_asked(host: Host) -> None:
    group = host.world.directory / "group"
    text = group.read_text()
    host.set_switch("files systemd")
    group.write_text(text + "vpn users:x:62100:root,dtbob\n")
    host.expect("dtbob", "RULE_DENY", VPN)
    host.expect("dtcarol", "RULE_ALLOW", REST)
    group.write_text(text)
    host.expect("dtbob", "RULE_ALLOW", REST)


def test_a_person_in_a_thousand_groups(host: Host) -> None:
    """Only those that rules name are carried along, in files as in the directory."""
    group = host.world.directory / "group"
    crowd = "".join(f"team-{i}:x:{63000 + i}:{'x' * 20},dtbob,dtcarol\n" for i in range(1000))
    group.write_text(group.read_text() + crowd + "vpn users:x:62100:dtbob\n")
    host.set_switch("files")
    host.expect("dtbob", "RULE_DENY", VPN)
    host.expect("dtcarol", "RULE_ALLOW", REST)


def test_a_group_whose_name_the_directory_no_longer_tells(host: Host) -> None:
    """The account's own group is one of the directory's: a number alone would match no rule."""
    passwd: Path = host.world.directory / "passwd"
    lines = [line.replace(":61002:61002:", ":61002:62100:") for line in
             passwd.read_text().splitlines()]
    passwd.write_text("\n".join(lines) + "\n")
    host.set_switch("files ldap", "initgroups: files")
    host.expect("dtbob", "GROUPS_UNKNOWN")
    host.up()
    host.expect("dtbob", "RULE_DENY", VPN)


def test_explain_says_why_groups_are_not_known(host: Host) -> None:
    done = host.world.run([host.world.ctl, "explain", "-c", host.world.site.config_path,
                           "--user", "dtbob", "--application", "groups"])
    assert '"ldap" does not answer' in done.stdout, done.stdout + done.stderr
