# SPDX-License-Identifier: GPL-2.0-or-later
# One person under several names at RADIUS: the directory's name with its realm is what is judged,
# and every other form is refused. With the shipped samples.
"""FreeRADIUS with rlm_devtrust: names, realms, machines, aliases of a directory."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.pamworld import wait_until
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

TOTP = "token:software:totp"
SETTINGS = {"mfa": {"wait_vpn": "8s", "passcode_attempts": "5"},
            "user_name": {"realms": "EXAMPLE -> @example.com, corp.example.com -> @example.com"}}
# What a proxy in front, or a realm module, leaves: the name without its realm.
STRIPPED = """if (&User-Name =~ /^OTHER.(.*)$/) {
            update request {
                &Stripped-User-Name := "%{1}"
            }
        }
        if (&User-Name =~ /^alias-(.*)$/) {
            update control {
                &DevTrust-User := "%{1}"
            }
        }
        if (&User-Name == "two") {
            update control {
                &DevTrust-User += "ann"
                &DevTrust-User += "bob"
            }
        }
        if (&State) {"""


def people(*names: str) -> dict[str, Any]:
    return {"users": {"include": list(names), "exclude": []}}


def policy(application: str = "vpn") -> dict[str, Any]:
    return {"name": application, "application": application, "rules": [
        sites.rule("Never", 1, access="DENY", people=people("mallory")),
        sites.rule("Never here", 2, access="DENY", people=people("eve@example.com")),
        sites.rule("By MFA", 3, frequency="EVERY_SIGN_ON", people=people("ann", "bob")),
        sites.rule("Others", 4, "NOT_TRUSTED"), sites.catch_all()]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("names"), pki_index, settings=SETTINGS,
                         policies=[policy(), policy("wifi")],
                         replace={"if (&State) {": STRIPPED}) as made:
        for name in ("ann", "bob", "mallory", "eve"):
            made.person(name, TOTP)
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def newest(world: World, cause: str, count: int) -> dict[str, Any]:
    """The newest event, once there is one more of its cause."""
    def events() -> list[dict[str, Any]]:
        return [e for e in world.site.sign_ons()
                if e["debugContext"]["debugData"]["cause"] == cause]

    wait_until(lambda: len(events()) > count, "an event with the cause " + cause)
    return events()[-1]


def sign_on(world: World, user: Any, cause: str, code: int) -> dict[str, Any]:
    before = sum(e["debugContext"]["debugData"]["cause"] == cause for e in world.site.sign_ons())
    reply = world.client().login(user)
    assert reply.code == code, (user, reply, json.dumps(world.site.sign_ons()[-1:]))
    return newest(world, cause, before)


@pytest.mark.parametrize("person", ["mallory", "eve"])
@pytest.mark.parametrize("form", ["{}", "{}@example.com", "{}@EXAMPLE.com", "EXAMPLE\\{}",
                                  "example\\{}", "{}@corp.example.com", "{}@example"])
@pytest.mark.parametrize("upper", [False, True])
def test_rule_holds_for_every_spelling(world: World, person: str, form: str,
                                       upper: bool) -> None:
    """However the rule names the person, and however the person does."""
    name = form.format(person.upper() if upper else person)
    event = sign_on(world, name, "RULE_DENY", REJECT)
    assert event["actor"]["displayName"].lower() == person
    assert event["actor"]["alternateId"] == person + "@example.com"
    given = event["debugContext"]["debugData"].get("name", event["actor"]["displayName"])
    assert given == name


@pytest.mark.parametrize("name,why", [
    ("mallory ", "space"), (" mallory", "space"), ("ma llory", "space"),
    ("\uff4dallory", "U+FF4D"), ("mallory\u200b", "U+200B"), ("mallo\u0301ry", "U+0301"),
    (b"j\xf6rg", "UTF-8"), ("OTHER\\ann", "other"), ("OTHER\\mallory", "other"),
    ("ann@partner.example", "partner.example"), ("EXAMPLE\\ann@example.com", "more than one"),
    ("ann@example.com@x", "more than one"), ("EXAMPLE\\EXAMPLE\\ann", "more than one"),
    ("ann\x01", "U+0001"), ("@example.com", "realm alone"), ("two", "several values"),
    ("alias-OTHER\\ann", "other"), (b"ann\0x", "NUL"), ("../ann", "dot"), ("a/b", "character /"),
    ("a" * 253, None)])
def test_other_forms_are_refused_by_name(world: World, name: Any, why: Optional[str]) -> None:
    if why is None:
        sign_on(world, name, "RULE_ALLOW", ACCEPT)
        return
    event = sign_on(world, name, "USER_NAME_INVALID", REJECT)
    assert why in event["debugContext"]["debugData"]["detail"]
    assert event["actor"]["alternateId"] in ("", None)


def test_challenge_goes_on(world: World) -> None:
    """Under the name it began with, in whatever form, and what the directory says of another."""
    for first, second in (("EXAMPLE\\Ann", "EXAMPLE\\Ann"), ("ANN@example.com", "ANN@example.com"),
                          ("alias-ann", "ann"), ("ann", "alias-ann")):
        reply = world.client().login(first)
        assert reply.code == CHALLENGE, (first, reply)
        done = world.client().login(second, world.passcode("ann"), reply.state)
        assert done.code == ACCEPT, (first, second, done)


@pytest.mark.parametrize("other", ["bob", "OTHER\\ann", "ann@partner.example", "ann ", "two",
                                   "mallory", "LAPTOP$", "EXAMPLE\\ann", "ANN"])
def test_challenge_is_nobody_elses(world: World, other: str) -> None:
    reply = world.client().login("ann")
    assert reply.code == CHALLENGE, reply
    assert world.client().login(other, world.passcode("ann"), reply.state).code == REJECT


def test_directory_says_who_it_is(world: World) -> None:
    event = sign_on(world, "alias-mallory", "RULE_DENY", REJECT)
    assert event["actor"]["displayName"].lower() == "mallory"
    assert world.client().login("alias-ann").code == CHALLENGE


# --- machines ------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["host/laptop.example.com", "LAPTOP$", "EXAMPLE\\LAPTOP$",
                                  "host/mallory", "MALLORY$"])
def test_machine_is_nobody_of_the_people(world: World, name: str) -> None:
    event = sign_on(world, name, "RULE_ALLOW", ACCEPT)
    assert event["actor"]["type"] == "Machine"
    assert event["actor"]["alternateId"] in ("", None)


@pytest.fixture(scope="module")
def mfa(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("machines"), pki_index,
                         settings={**SETTINGS, "policy": {"okta_unavailable": "allow"}}) as made:
        yield made


@pytest.mark.parametrize("name", ["host/laptop.example.com", "LAPTOP$"])
def test_machine_gets_no_mfa(mfa: World, name: str) -> None:
    sign_on(mfa, name, "MACHINE_ACCOUNT", REJECT)
    assert not mfa.sim.requests()


@pytest.mark.parametrize("name,count", [("host/laptop.example.com", 1), ("LAPTOP$", 1)])
def test_machine_with_its_certificate(mfa: World, name: str, count: int) -> None:
    """As Windows signs on before anybody has: by EAP-TLS, in by the device alone."""
    device = mfa.pki["devices"]["company-rsa"]
    mfa.sim.enrol_device(device["device_id"], user="nobody@example.com")
    assert rad.eap_tls(mfa.radius, name, device).accepts == count
    assert rad.eap_tls(mfa.radius, name, mfa.pki["devices"]["device-rsa"]).accepts == 0


# --- the old line of the samples -----------------------------------------------------------------

def test_stripped_name_keeps_its_realm(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """A configuration that still takes Stripped-User-Name is no way around either."""
    old = 'user = "%{%{Stripped-User-Name}:-%{User-Name}}"'
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS,
                         policies=[policy(), policy("wifi")],
                         replace={"if (&State) {": STRIPPED,
                                  'user = "%{%{control:DevTrust-User}:-%{User-Name}}"': old}
                         ) as made:
        made.person("ann", TOTP)
        sign_on(made, "OTHER\\ann", "USER_NAME_INVALID", REJECT)
        sign_on(made, "OTHER\\bob", "USER_NAME_INVALID", REJECT)
        assert made.client().login("ann").code == CHALLENGE


# --- a directory that finds people by several names ----------------------------------------------

SLAPD_CONF = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw secret
directory {dir}/db
"""
PERSON = """
dn: uid={uid},dc=example,dc=com
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {mail}
userPassword: {password}
"""
LDAP_MODULE = """ldap {{
    server = "127.0.0.1"
    port = {port}
    identity = "cn=admin,dc=example,dc=com"
    password = secret
    base_dn = "dc=example,dc=com"
    update {{
        control:Cleartext-Password := 'userPassword'
        control:DevTrust-User := 'uid'
    }}
    user {{
        base_dn = "dc=example,dc=com"
        filter = "(|(uid=%{{User-Name}})(mail=%{{User-Name}}))"
    }}
    options {{
        res_timeout = 10
        srv_timelimit = 3
    }}
    pool {{
        start = 1
        min = 1
        max = 4
        spare = 1
    }}
}}
"""


@pytest.fixture(scope="module")
def ldap_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory = tmp_path_factory.mktemp("slapd")
    port = rad.free_port(socket.SOCK_STREAM)
    (directory / "db").mkdir()
    conf, entries = directory / "slapd.conf", directory / "entries.ldif"
    conf.write_text(SLAPD_CONF.format(dir=directory))
    people_in_it = {"ann": "a.smith@company.example", "mallory": "boss@company.example"}
    entries.write_text("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n" + "".join(
        PERSON.format(uid=uid, mail=mail, password=rad.PASSWORD)
        for uid, mail in people_in_it.items()))
    slapd = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    assert slapd, "slapd is not installed"
    subprocess.run(["/usr/sbin/slapadd", "-f", str(conf), "-l", str(entries)], check=True,
                   capture_output=True, timeout=60)
    process = subprocess.Popen([slapd, "-h", f"ldap://127.0.0.1:{port}", "-f", str(conf),
                                "-d", "0"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd=str(Path("/")))

    def answers() -> bool:
        assert process.poll() is None, "slapd ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, "slapd listens")
        yield port
    finally:
        process.terminate()
        process.wait()


def test_alias_of_an_ldap_directory(tmp_path: Any, pki_index: dict[str, Any],
                                    ldap_port: int) -> None:
    """The two lines of the sample: whoever comes by a mail address is the one whose it is."""
    module = LDAP_MODULE.format(port=ldap_port)
    with rad.start_world(tmp_path, pki_index, settings=SETTINGS,
                         policies=[policy(), policy("wifi")],
                         replace={"\t\t#ldap\n": "\t\tldap\n", "files\n\t\t\tpap\n": "pap\n",
                                  "devtrust devtrust_tunnel {":
                                      module + "devtrust devtrust_tunnel {"}) as made:
        made.person("ann", TOTP)
        for name in ("mallory", "boss@company.example", "BOSS@company.example", "MALLORY"):
            event = sign_on(made, name, "RULE_DENY", REJECT)
            assert event["actor"]["displayName"].lower() == "mallory"
        for first, second in (("ann", "a.smith@company.example"),
                              ("a.smith@company.example", "ann")):
            reply = made.client().login(first)
            assert reply.code == CHALLENGE, (first, reply)
            done = made.client().login(second, made.passcode("ann"), reply.state)
            assert done.code == ACCEPT, (second, done)
        reply = made.client().login("ann")
        assert made.client().login("boss@company.example", made.passcode("ann"),
                                   reply.state).code == REJECT
        assert made.client().login("nobody@company.example").code == REJECT
