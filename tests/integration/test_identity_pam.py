# SPDX-License-Identifier: GPL-2.0-or-later
# One person under several names at PAM: what is asked and judged is the account that is opened, or
# who called, whatever was typed. With real sshd, su and sudo and a name service that has aliases.
"""Names of accounts, aliases, callers."""

from __future__ import annotations

from typing import Any, Iterator

import pexpect
import pytest

from tests.lib.pamworld import LIMIT, ROOT, PamWorld, pam_world, wait_until
from tests.lib.site import catch_all, rule
from tests.lib.sshd import Sshd, make_key

SERVICES = ("sshd", "sudo", "sudo-i", "su", "su-l", "login", "other-door")
ACCOUNTS = {"dtalias": 61001, "dttwin": 61031, "DTTwin": 61032, "DTUpper": 61033}
PEOPLE = ("dtalice", "dtbob", "dtcarol", "dttwin", "dtupper", "root")
BOB = "uid=61002(dtbob)"


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "sudo", "su", "login", "other-door"),
                   accounts=ACCOUNTS, aliases=True) as made:
        for name in SERVICES:
            made.service(name)
        yield made


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    for user in PEOPLE:
        world.sim.add_user(user + "@example.com", factors=("push",))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    for name in [n for n in world.site.settings if n.startswith("application ")]:
        del world.site.settings[name]
    world.site.configure({"mfa": {"wait_pam": "20s", "push_limit": "20",
                                  "number_challenge": "never"},
                          "user_name": {"realms": None, "table_file": None}})
    for name in ("sshd", "sudo", "su", "login", "other-door"):
        only_for(world, name, "dtalice")
    yield
    world.stop_daemon()


def only_for(world: PamWorld, application: str, *users: str, access: str = "",
             **conditions: Any) -> None:
    """The users by push (or denied), all others without."""
    people = {"users": {"include": list(users), "exclude": []}}
    asked = rule("asked", 1, people=people, **({"access": access} if access
                                               else {"frequency": "EVERY_SIGN_ON"}))
    world.site.set_policy({"name": application, "application": application,
                           "rules": [asked, rule("others", 2, "NOT_TRUSTED"), catch_all()]})


def debug(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


def pushed(world: PamWorld) -> list[str]:
    return [u for u in PEOPLE if world.sim.pushes(u + "@example.com")]


def call(world: PamWorld, *command: str, uid: int = 61001) -> str:
    """As somebody who has nothing to type but Enter."""
    done = world.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                      *command], input="\n\n\n")
    return done.stdout


def call_at_terminal(world: PamWorld, person: str, *command: str, uid: int = 61001) -> str:
    """As somebody who presses Enter once the person has approved."""
    line = world.inside(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                         *command])
    with pexpect.spawn(line[0], line[1:], timeout=LIMIT, encoding="utf-8") as terminal:
        terminal.expect(["Enter here", pexpect.EOF])
        shown = terminal.before
        if terminal.isalive():
            world.sim.approve(person + "@example.com")
            terminal.sendline("")
            terminal.expect(pexpect.EOF)
        return shown + terminal.before


# --- the account that is opened ------------------------------------------------------------------

@pytest.mark.parametrize("name", ["dtalice", "dtalice@corp.example", "DTAlice@CORP.example",
                                  "dtalias"])
@pytest.mark.parametrize("named", ["dtalice", "dtalice@example.com", "DTALICE"])
def test_every_name_of_an_account_is_denied(world: PamWorld, name: str, named: str) -> None:
    only_for(world, "sshd", named, access="DENY")
    world.start_daemon()
    assert world.login("sshd", name)["auth"] == "PERM_DENIED"
    event = world.outcome("sshd")
    assert debug(event)["cause"] == "RULE_DENY"
    assert event["actor"]["alternateId"] == "dtalice@example.com"
    assert event["actor"]["displayName"] == "dtalice"
    assert debug(event).get("name", "dtalice") == name


@pytest.mark.parametrize("name", ["dtalice@corp.example", "dtalias"])
def test_ssh_under_an_alias_asks_the_person(world: PamWorld, name: str) -> None:
    """Her push, her rule; the account under its other names is hers."""
    world.sim.add_user("dtalias@example.com", factors=("push",))
    world.start_daemon()
    with Sshd(world) as sshd:
        key = make_key(world.directory / ("key-" + name))
        sshd.allow(name, key)
        sshd.allow("dtalice", key)
        ssh = sshd.connect(name, key)
        ssh.expect("Enter here")
        world.sim.deny("dtalice@example.com")
        ended = 3
        for _ in range(30):
            if ended == 3:
                ssh.sendline("")
                ended = ssh.expect(["Permission denied", "Too many", "I-am-in", "Enter here"])
        assert ended < 2
        ssh.close()
    events = world.site.sign_ons()
    assert debug(events[0])["cause"] == "MFA_REJECTED"
    assert {e["actor"]["alternateId"] for e in events} == {"dtalice@example.com"}
    assert pushed(world) == ["dtalice"]
    assert not world.sim.pushes("dtalias@example.com")


def test_others_are_still_let_in(world: PamWorld) -> None:
    world.start_daemon()
    for name in ("dtbob", "dtbob@corp.example"):
        assert world.login("sshd", name)["auth"] == "SUCCESS"
    assert pushed(world) == []


def test_group_counts_for_every_name(world: PamWorld) -> None:
    """Groups are those of the account, not of the name that was typed."""
    people = {"groups": {"include": ["dtalice"], "exclude": []}}
    world.site.set_policy({"name": "sshd", "application": "sshd",
                           "rules": [rule("hers", 1, access="DENY", people=people),
                                     rule("others", 2, "NOT_TRUSTED"), catch_all()]})
    world.start_daemon()
    for name in ("dtalice@corp.example", "dtalias", "dtalice"):
        assert world.login("sshd", name)["auth"] == "PERM_DENIED"
    assert world.login("sshd", "dtbob@corp.example")["auth"] == "SUCCESS"


def test_table_tells_two_accounts_of_one_uid_apart(world: PamWorld) -> None:
    table = world.directory / "names"
    table.write_text("# two names\ndtalias -> dtcarol@example.com\n")
    only_for(world, "sshd", "dtcarol@example.com", access="DENY")
    world.site.configure({"user_name": {"table_file": table}})
    world.start_daemon()
    assert world.login("sshd", "dtalias")["auth"] == "PERM_DENIED"
    event = world.outcome("sshd")
    assert event["actor"]["displayName"] == "dtalias"
    assert event["actor"]["alternateId"] == "dtcarol@example.com"
    assert world.login("sshd", "dtalice")["auth"] == "SUCCESS"


@pytest.mark.parametrize("name", ["DTTwin"])
def test_accounts_that_only_the_case_tells_apart(world: PamWorld, name: str) -> None:
    """Both would have one Okta login, so the one that is not written like it is refused."""
    world.start_daemon()
    assert world.login("sshd", name)["auth"] in ("PERM_DENIED", "AUTH_ERR")
    assert world.login("sshd", "dttwin")["auth"] == "SUCCESS"
    assert world.login("sshd", "DTUpper")["auth"] == "SUCCESS"
    assert world.outcome("sshd", 2)["actor"]["alternateId"] == "dtupper@example.com"


def test_account_that_is_not_there(world: PamWorld) -> None:
    world.start_daemon()
    for name in ("nobody-here", "nobody-here@corp.example", "dtalice@elsewhere.example", "a b",
                 "dtalice "):
        assert world.login("sshd", name)["auth"] == "USER_UNKNOWN"
    assert pushed(world) == []


def test_name_of_an_unknown_realm_is_refused_in_words(world: PamWorld) -> None:
    """The host knows the account by that name, and devtrust.conf does not know the realm."""
    with open(world.directory / "passwd", "a") as passwd:
        passwd.write(f"eve@far.example:x:61041:61041::{world.directory}:/bin/sh\n")
    world.start_daemon()
    assert world.login("sshd", "eve@far.example")["auth"] == "PERM_DENIED"
    event = debug(world.outcome("sshd"))
    assert event["cause"] == "USER_NAME_INVALID"
    assert "far.example" in event["detail"]
    world.restart_daemon({"user_name": {"realms": "far.example -> @partner.example"}})
    assert world.login("sshd", "eve@far.example")["auth"] == "SUCCESS"
    assert world.outcome("sshd", 2)["actor"]["alternateId"] == "eve@partner.example"


# --- who calls -----------------------------------------------------------------------------------

CALLS = [("su", ("su", "dtbob", "-c", "id")), ("su-l", ("su", "-l", "dtbob", "-c", "id")),
         ("sudo", ("sudo", "-u", "dtbob", "id")), ("sudo-i", ("sudo", "-i", "-u", "dtbob", "id"))]


def targetpw(world: PamWorld, on: bool) -> None:
    (world.directory / "sudoers").write_text(
        "Defaults !fqdn, !lecture, timestamp_timeout=0" + (", targetpw" if on else "")
        + "\nroot ALL=(ALL) ALL\ndtalice ALL=(ALL) ALL\n")


@pytest.mark.parametrize("service,command", CALLS)
def test_caller_is_asked(world: PamWorld, service: str, command: tuple[str, ...]) -> None:
    """Whoever becomes somebody else gives their own MFA, and the event says who became whom."""
    targetpw(world, True)
    try:
        world.start_daemon()
        assert BOB in call_at_terminal(world, "dtalice", *command)
    finally:
        targetpw(world, False)
    base = service.partition("-")[0]
    event = world.outcome(base)
    assert event["actor"]["alternateId"] == "dtalice@example.com"
    assert debug(event)["account"] == "dtbob"
    assert debug(event)["caller"] == "dtalice"
    assert debug(event)["cause"] == "MFA_SUCCESS"
    assert "dtbob" in {t["displayName"] for t in event["target"] if t["type"] == "User"}
    assert pushed(world) == ["dtalice"]


@pytest.mark.parametrize("service,command", CALLS[:1])
def test_user_is_asked_where_it_says_so(world: PamWorld, service: str,
                                        command: tuple[str, ...]) -> None:
    only_for(world, "su", "dtbob")
    world.site.configure({"application su": {"identity_from": "user"}})
    world.start_daemon()
    assert BOB in call_at_terminal(world, "dtbob", *command)
    event = world.outcome("su")
    assert event["actor"]["alternateId"] == "dtbob@example.com"
    assert debug(event)["caller"] == "dtalice"
    assert "account" not in debug(event)
    assert pushed(world) == ["dtbob"]


def test_rules_are_about_the_caller(world: PamWorld) -> None:
    only_for(world, "su", "dtbob", access="DENY")
    world.start_daemon()
    assert BOB in call(world, "su", "dtbob", "-c", "id")
    assert BOB not in call(world, "su", "dtbob", "-c", "id", uid=61002)


def test_root_calls_as_root(world: PamWorld) -> None:
    """A root shell, or a job of root, is root: whom a rule may let in, and nobody else's MFA."""
    world.start_daemon()
    only_for(world, "su", "root", access="DENY")
    world.restart_daemon()
    assert BOB not in world.run(["su", "dtbob", "-c", "id"], input="\n").stdout
    event = world.outcome("su")
    assert (event["actor"]["displayName"], debug(event)["account"]) == ("root", "dtbob")
    only_for(world, "su", "dtbob", access="DENY")
    world.restart_daemon()
    assert BOB in world.run(["su", "dtbob", "-c", "id"], input="\n").stdout
    assert pushed(world) == []


def test_pam_ruser_counts_of_root_and_local_services_only(world: PamWorld) -> None:
    world.site.configure({"application login": {"identity_from": "caller"},
                          "application other-door": {"identity_from": "caller"}})
    for name in ("login", "other-door"):
        only_for(world, name, "dtcarol", access="DENY")
    world.start_daemon()
    # login is one of local_services: sudo and the like say who called.
    assert world.login("login", "dtbob", "--ruser", "dtcarol")["auth"] == "PERM_DENIED"
    event = world.outcome("login")
    assert (event["actor"]["displayName"], debug(event)["account"]) == ("dtcarol", "dtbob")
    # At another door somebody far away says it: root called.
    assert world.login("other-door", "dtbob", "--ruser", "dtcarol")["auth"] == "SUCCESS"
    event = world.outcome("other-door")
    assert (event["actor"]["displayName"], debug(event)["caller"]) == ("root", "root")
    assert debug(event)["ruser"] == "dtcarol"


def test_real_uid_beats_what_the_application_says(world: PamWorld) -> None:
    """A setuid program that was told PAM_RUSER by its caller."""
    only_for(world, "su", "dtbob", access="DENY")
    world.start_daemon()
    done = world.run(["setpriv", "--ruid", "61002", "--clear-groups", "/usr/bin/python3",
                      ROOT / "tests/lib/pam_harness.py", "--service", "su", "--user", "dtcarol",
                      "--ruser", "dtalice"], input="\n")
    assert "PERM_DENIED" in done.stdout, done.stdout + done.stderr
    event = world.outcome("su")
    assert event["actor"]["displayName"] == "dtbob"
    assert debug(event)["ruser"] == "dtalice"


def test_caller_without_an_account_is_refused(world: PamWorld) -> None:
    world.start_daemon()
    done = world.run(["setpriv", "--ruid", "61999", "--clear-groups", "/usr/bin/python3",
                      ROOT / "tests/lib/pam_harness.py", "--service", "su", "--user", "dtbob"],
                     input="\n")
    assert "PERM_DENIED" in done.stdout, done.stdout + done.stderr
    event = wait_until(lambda: world.site.sign_ons(), "an event")[-1]
    assert debug(event)["cause"] == "USER_NAME_INVALID"
    assert "caller" in debug(event)["detail"]


def test_explain_knows_the_account(world: PamWorld) -> None:
    world.start_daemon()
    done = world.run([world.ctl, "explain", "--user", "dtalice@corp.example", "--application",
                      "sshd", "-c", world.site.config_path])
    assert "dtalice@example.com" in done.stdout, done.stdout + done.stderr
    assert "asked" in done.stdout
