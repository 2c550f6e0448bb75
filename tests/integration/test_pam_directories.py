# SPDX-License-Identifier: GPL-2.0-or-later
# People of a directory, by the real sssd and nslcd with slapd, at the real sshd, sudo, su and login
# with the samples as they are shipped, over what Debian's pam-auth-update writes.
"""Who has no local password signs on as everybody else does."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.lib.directories import PASSWORD, PEOPLE, SAMPLES, Directory, Nslcd, Sssd
from tests.lib.matrix import CASES, cell
from tests.lib.pamworld import wait_until
from tests.lib.person import Seen, sign_on
from tests.lib.site import catch_all, rule
from tests.lib.sshd import Sshd, install_device_key, make_key

KINDS = {"sssd": Sssd, "nslcd": Nslcd}
APPLICATIONS = ("sshd", "sudo", "su", "login")
ANN = "ann@example.com"
DEVICE = "device-p256"
PUSH, TOTP = "push", "token:software:totp"


class Place:
    """A host of a directory with an sshd, and what somebody does there."""

    def __init__(self, directory: Directory) -> None:
        self.directory, self.world = directory, directory.world
        self.sshd = Sshd(self.world, StrictModes="no", PermitRootLogin="yes")
        self.key = make_key(self.world.directory / "key")
        self.device_key = install_device_key(self.world, DEVICE)

    def policy(self, *rules: dict[str, Any]) -> None:
        """In force at once."""
        for name in APPLICATIONS:
            self.world.site.set_policy({"name": name, "application": name, "rules": list(rules)})
        if self.world.daemon:
            self.world.restart_daemon()

    def guide(self) -> None:
        self.policy(rule("trusted", 1, "TRUSTED"),
                    rule("MFA", 2, "NOT_TRUSTED", frequency="EVERY_SIGN_ON"), catch_all())

    def command(self, service: str, user: str = "ann", key: Path | None = None) -> list[str]:
        """Of `user`, or of somebody who becomes bea by it."""
        if service == "sshd":
            account = self.directory.account(user)
            self.sshd.keys.joinpath(account).unlink(missing_ok=True)
            self.sshd.allow(account, key or self.key)
            return self.sshd.command(user, key or self.key, "id")
        bea = self.directory.called("bea")
        commands = {"sudo": ["sudo", "-k", "id"], "sudo-i": ["sudo", "-k", "-i", "id"],
                    "su": ["su", bea, "-c", "id"], "su-l": ["su", "-", bea, "-c", "id"],
                    "login": ["login", user]}
        if service == "login":
            return self.world.inside(commands[service])
        uid = str(PEOPLE["ann"])
        return self.world.inside(["setpriv", "--reuid", uid, "--regid", "63100", "--groups",
                                  "63100,63101", *commands[service]])

    def sign_on(self, service: str, user: str = "ann", *, password: str = PASSWORD,
                answer: Callable[[str], str] = lambda _: "", new_password: str = "",
                key: Path | None = None) -> Seen:
        return sign_on(self.command(service, user, key), password, answer, new_password)

    def debug(self, service: str, count: int = 1) -> dict[str, Any]:
        base = {"sudo-i": "sudo", "su-l": "su"}.get(service, service)
        return self.world.outcome(base, count)["debugContext"]["debugData"]

    def refused_once(self, service: str, cause: str) -> None:
        assert self.debug(service)["cause"] == cause, self.world.site.events()


@pytest.fixture(scope="module")
def places(pki_index: dict[str, Any]) -> Iterator[Callable[[str], Place]]:
    """A host of each kind, made when it is first wanted."""
    settings = {"mfa": {"wait_pam": "20s", "push_limit": 100, "push_pause": "0s"},
                "policy": {"unknown_device_as": "not_trusted"},
                "daemon": {"person_at_host": "service"}}
    made: dict[str, Place] = {}
    with contextlib.ExitStack() as closing:
        def make(kind: str) -> Place:
            if kind not in made:
                host = closing.enter_context(
                    KINDS[kind](pki_index, applications=APPLICATIONS, settings=settings))
                host.up()
                made[kind] = Place(host)
                closing.enter_context(made[kind].sshd)
            return made[kind]

        yield make


@pytest.fixture
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture(autouse=True)
def fresh(place: Place) -> Iterator[None]:
    world = place.world
    world.stop_daemon()
    world.sim.reset()
    for name in PEOPLE:
        world.sim.add_user(name + "@example.com", factors=(PUSH, TOTP))
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    place.guide()
    world.trust_host(DEVICE, ANN, False)
    world.start_daemon()
    yield
    world.sim.listener("okta")
    place.sshd.hang_up()
    world.stop_daemon()


def approve(place: Place) -> Callable[[str], str]:
    def answer(seen: str) -> str:
        numbers = re.findall(r"number (\d+)", seen)
        place.world.sim.approve(ANN, number=int(numbers[-1]))
        return ""

    return answer


def matrix_cells() -> list[Any]:
    """Of each directory two are in the short form."""
    return [pytest.param(kind, service, case, marks=cell(
                "pam", f"{kind}, {service}", case,
                whole=service != "sudo" or case not in ("trusted", "push")))
            for kind in KINDS for service in APPLICATIONS for case in CASES]


of_each = pytest.mark.parametrize("place", list(KINDS), indirect=True)
of_sssd = pytest.mark.parametrize("place", ["sssd"], indirect=True)


@pytest.mark.parametrize("place,service,case", matrix_cells(), indirect=["place"])
def test_signs_on(place: Place, service: str, case: str) -> None:
    world = place.world
    if case == "trusted":
        world.trust_host(DEVICE, ANN, True)
        world.restart_daemon()
        key = place.device_key
        if service == "sshd":
            world.add_device(world.pki["devices"][DEVICE]["files"]["certificate"])
        seen = place.sign_on(service, key=key)
        assert seen.inside and not seen.number, seen.text
        assert world.sim.count("okta.verify") == 0
        assert place.debug(service)["cause"] == "RULE_ALLOW"
    elif case in ("push", "daemon down"):
        if case == "daemon down":
            world.stop_daemon()  # devtrustd --one takes its place
        seen = place.sign_on(service, answer=approve(place))
        assert seen.inside and seen.number, seen.text
        assert place.debug(service)["cause"] == "MFA_SUCCESS"
    elif case == "passcode":
        seen = place.sign_on(service, answer=lambda _: world.sim.passcode(ANN))
        assert seen.inside, seen.text
        assert place.debug(service)["cause"] == "MFA_SUCCESS"
    elif case == "denied":
        world.sim.set_push(ANN, "deny")
        seen = place.sign_on(service)
        assert not seen.inside, seen.text
        place.refused_once(service, "MFA_REJECTED")
    else:
        world.sim.listener("okta", "down")
        seen = place.sign_on(service)
        assert not seen.inside, seen.text
        place.refused_once(service, "OKTA_UNAVAILABLE")


# --- passwords -----------------------------------------------------------------------------------


@of_each
@pytest.mark.parametrize("service", ["su", "login"])
def test_a_wrong_password_asks_okta_nothing(place: Place, service: str) -> None:
    seen = place.sign_on(service, password="wrong")
    assert not seen.inside, seen.text
    assert place.world.sim.count("okta.total") == 0 and not place.world.site.sign_ons()


@of_each
def test_a_password_at_sshd(place: Place) -> None:
    """As the sample's comment says: common-auth before devtrust's line."""
    path = place.world.pam_directory / "sshd"
    before = path.read_text()
    path.write_text(before.replace("\nauth ", "\n@include common-auth\nauth ", 1))
    try:
        with Sshd(place.world, StrictModes="no",
                  AuthenticationMethods="keyboard-interactive:pam") as sshd:
            command = sshd.command("ann", place.key, "id")
            seen = sign_on(command, PASSWORD, approve(place))
            assert seen.inside and place.debug("sshd")["cause"] == "MFA_SUCCESS", seen.text
            calls = place.world.sim.count("okta.total")
            assert not sign_on(command, "wrong").inside
            assert place.world.sim.count("okta.total") == calls
    finally:
        path.write_text(before)


def change_at_next_login(place: Place, user: str) -> None:
    place.directory.ldap.modify(user, "replace: pwdReset\npwdReset: TRUE")


def as_before(place: Place, user: str) -> None:
    """A password that the administrator sets has to be changed, too."""
    place.directory.ldap.modify(user, f"replace: userPassword\nuserPassword: {PASSWORD}")
    place.directory.ldap.modify(user, "replace: pwdReset\npwdReset: FALSE")


NEW = "another correct horse 7"


@of_each
@pytest.mark.parametrize("service", ["sudo", "login"])
def test_a_password_that_must_be_changed(place: Place, service: str) -> None:
    """The person is asked by devtrust first, then for another password, and is in."""
    change_at_next_login(place, "ann")
    try:
        seen = place.sign_on(service, answer=approve(place), new_password=NEW)
        assert place.debug(service)["cause"] == "MFA_SUCCESS", seen.text
        assert seen.inside and "new password" in seen.text.lower(), seen.text
    finally:
        as_before(place, "ann")


@of_each
@pytest.mark.parametrize("service", ["su", "login"])
def test_nobody_who_is_refused_changes_a_password(place: Place, service: str) -> None:
    place.policy(catch_all())
    for user in ("ann", "bea"):
        change_at_next_login(place, user)
    try:
        seen = place.sign_on(service, new_password=NEW)
        assert not seen.inside and "new password" not in seen.text.lower(), seen.text
        assert place.debug(service)["cause"] == "RULE_DENY"
    finally:
        for user in ("ann", "bea"):
            as_before(place, user)


@of_each
@pytest.mark.parametrize("service", ["sshd", "sudo"])
def test_an_account_that_has_ended_in_the_directory(place: Place, service: str) -> None:
    """devtrust lets in, the directory does not."""
    place.policy({**catch_all(), "actions": {"appSignOn": {"access": "ALLOW"}}})
    place.directory.ldap.modify("ann", "replace: shadowExpire\nshadowExpire: 1")
    try:
        seen = place.sign_on(service)
        assert not seen.inside, seen.text
    finally:
        place.directory.ldap.modify("ann", "delete: shadowExpire")


# --- names and groups ----------------------------------------------------------------------------


def by_group(place: Place, group: str) -> None:
    people = {"groups": {"include": [group], "exclude": []}}
    place.policy(rule("of the group", 1, access="DENY", people=people),
                 {**catch_all(), "actions": {"appSignOn": {"access": "ALLOW"}}})


@of_each
@pytest.mark.parametrize("group", ["Network Admins", "NETWORK admins"])
def test_rules_by_a_group_of_the_directory(place: Place, group: str) -> None:
    by_group(place, group)
    assert not place.sign_on("login", "ann").inside
    assert place.debug("login")["rule"] == "of the group"
    assert place.sign_on("login", "bea").inside
    assert not place.sign_on("sudo", "ann").inside
    assert place.debug("sudo")["rule"] == "of the group"


@of_each
def test_the_first_group_counts(place: Place) -> None:
    """As with Active Directory, where "domain users" is that of everybody, and lists nobody."""
    by_group(place, "Domain Users")
    assert not place.sign_on("login", "bea").inside
    assert place.debug("login")["rule"] == "of the group"


@of_each
@pytest.mark.parametrize("typed", ["ANN", "Ann"])
def test_another_case(place: Place, typed: str) -> None:
    """Where the directory takes it, it is the same person; else nobody."""
    seen = place.sign_on("login", typed, answer=approve(place))
    events = place.world.site.sign_ons()
    assert [e["actor"]["alternateId"] for e in events] == ([ANN] if seen.inside else []), seen


class Reconfigured:
    """sssd with other options while a test runs."""

    def __init__(self, place: Place, **options: str) -> None:
        self.directory, self.options = place.directory, options

    def _start(self, **options: str) -> None:
        self.directory.stop()
        self.directory.forget()
        self.directory.configure(**options)
        self.directory.start()

    def __enter__(self) -> None:
        self._start(**self.options)
        wait_until(lambda: self.directory.knows("ann@example.com"), "sssd knows ann")

    def __exit__(self, *_: object) -> None:
        self._start()
        wait_until(lambda: self.directory.knows("ann"), "sssd knows ann")


@of_sssd
@pytest.mark.parametrize("typed", ["ANN", "Ann@EXAMPLE.COM"])
def test_one_person_in_any_case(place: Place, typed: str) -> None:
    with Reconfigured(place, case_sensitive="false"):
        seen = place.sign_on("login", typed, answer=approve(place))
        assert seen.inside, seen.text
        event = place.world.outcome("login")
        assert event["actor"]["alternateId"] == ANN
        by_group(place, "network admins")
        assert not place.sign_on("login", typed).inside
        assert place.debug("login", 2)["rule"] == "of the group"


@of_sssd
@pytest.mark.parametrize("case_sensitive", [
    "true", *(pytest.param(word, marks=cell("pam", "sssd, login", "qualified", whole=True))
              for word in ("false", "preserving"))])
def test_fully_qualified_names(place: Place, case_sensitive: str,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is ann@example.com, and so are its groups; the person is ann."""
    monkeypatch.setattr(place.directory, "called", lambda name: name + "@example.com")
    with Reconfigured(place, use_fully_qualified_names="true", case_sensitive=case_sensitive):
        assert place.directory.account(ANN) == ANN and not place.directory.knows("ann")
        for number, service in enumerate(("login", "sshd", "sudo", "su", "sudo-i"), 1):
            seen = place.sign_on(service, ANN, answer=approve(place))
            assert seen.inside, (service, seen.text)
        for event in place.world.site.sign_ons():
            assert event["actor"]["alternateId"] == ANN, event
        by_group(place, "NETWORK admins@example.com")
        assert not place.sign_on("login", ANN).inside
        assert place.debug("login", 2)["rule"] == "of the group"
        assert place.sign_on("login", "bea@example.com").inside


# --- the directory does not answer ---------------------------------------------------------------


class DirectoryDown:
    """slapd is gone (or hangs) while a test runs."""

    def __init__(self, place: Place, hangs: bool = False) -> None:
        self.directory, self.hangs = place.directory, hangs

    def __enter__(self) -> None:
        if self.hangs:
            self.directory.ldap.pause()
        else:
            self.directory.ldap.stop()

    def __exit__(self, *_: object) -> None:
        if self.hangs:
            self.directory.ldap.resume()
        else:
            self.directory.ldap.start()
        wait_until(lambda: self.directory.knows("cyd"), "the directory is back")


@pytest.mark.parametrize("place,service", [
    pytest.param("sssd", service, marks=cell("pam", f"sssd, {service}", "directory down",
                                             whole=service != "sudo"))
    for service in APPLICATIONS], indirect=["place"])
def test_cached_people_sign_on(place: Place, service: str) -> None:
    """sssd has ann's password and groups; nobody else gets in, and no phone rings for them."""
    for who in ("ann", "bea"):
        wait_until(lambda: "domain users" in place.directory.groups(who), "their groups")
    place.guide()
    assert place.sign_on("login", "ann", answer=approve(place)).inside
    with DirectoryDown(place):
        by_group(place, "locked out")
        if service != "su":  # which wants bea's password
            assert place.sign_on(service).inside
            assert place.debug(service, 1 + (service == "login"))["cause"] == "RULE_ALLOW"
        place.guide()
        count = len(place.world.site.sign_ons())
        assert not place.sign_on(service, password="wrong").inside or service == "sshd"
        if service in ("login", "su"):
            assert not place.sign_on(service, "bea").inside
        assert len(place.world.site.sign_ons()) == count + (service == "sshd")
        by_group(place, "network admins")
        if service != "su":
            assert not place.sign_on(service).inside
            assert place.world.site.sign_ons()[-1]["debugContext"]["debugData"]["rule"] \
                == "of the group"


@of_each
@pytest.mark.parametrize("hangs", [False, True])
def test_local_people_while_the_directory_is_down(place: Place, hangs: bool) -> None:
    """Where no rule names a group; and not for long."""
    place.world.set_password("dtalice", PASSWORD)
    place.world.sim.add_user("dtalice@example.com", factors=(TOTP,))
    with DirectoryDown(place, hangs):
        seen = place.sign_on("login", "dtalice",
                             answer=lambda _: place.world.sim.passcode("dtalice@example.com"))
        assert seen.inside, seen.text
        assert place.debug("login")["cause"] == "MFA_SUCCESS"


@pytest.mark.parametrize("place", ["nslcd"], indirect=True)
@pytest.mark.parametrize("hangs", [False, True])
def test_nobody_of_a_directory_that_is_down(place: Place, hangs: bool) -> None:
    """nslcd keeps no passwords."""
    with DirectoryDown(place, hangs):
        for service in ("login", "sudo"):
            command = ["login", "ann"] if service == "login" else [
                "setpriv", "--reuid", "63001", "--regid", "63100", "--clear-groups", "sudo", "id"]
            seen = sign_on(place.world.inside(command), PASSWORD)
            assert not seen.inside, seen.text
    assert place.world.sim.count("okta.total") == 0


# --- check-pam -----------------------------------------------------------------------------------


@of_each
def test_check_pam_calls_it_protected(place: Place) -> None:
    ctl = place.world.ctl
    done = place.world.run([ctl, "check-pam", "--json", "--sshd-config", place.sshd.config])
    found = {r["service"]: r["verdict"] for r in map(json.loads, done.stdout.splitlines())}
    assert {name: found[name] for name in SAMPLES} == dict.fromkeys(SAMPLES, "protected")
