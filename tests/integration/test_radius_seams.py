# SPDX-License-Identifier: GPL-2.0-or-later
# What the server says of a sign-on is in the Accept again after a push, a passcode, and from within
# a tunnel; limits on sessions hold then, too; what is refused carries none of it. PAP and MS-CHAPv2
# as a gateway sends them, TTLS and PEAP with a supplicant.
"""FreeRADIUS with rlm_devtrust: nothing is lost while somebody is asked."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from typing import Any, Iterator

import pytest

from tests.integration.test_radius_reply import eap_vlan, station
from tests.lib import mschap
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.radius import World

PUSH, TOTP = "push", "token:software:totp"
MSCHAP = "a gateway with MS-CHAPv2"  # the suite's own client
SECRET_FILTER = "only-the-store-must-not-know-this"

GIVEN = f"""
DEFAULT Cleartext-Password := "{rad.PASSWORD}"
    Framed-IP-Address = 192.0.2.77,
    Filter-Id = "{SECRET_FILTER}",
    Filter-Id += "second",
    Class = 0x00ff636c617373,
    Session-Timeout = 3600,
    Tunnel-Type = VLAN,
    Tunnel-Medium-Type = IEEE-802,
    Tunnel-Private-Group-Id = "42",
    Reply-Message = "welcome"

"""
ONCE = """
one-of-them Simultaneous-Use := 1
    Fall-Through = Yes

DEFAULT User-Name =~ "^once-", Simultaneous-Use := 1
    Fall-Through = Yes

"""

RADUTMP = """
radutmp {
    filename = ${logdir}/radutmp
    username = %{User-Name}
    case_sensitive = yes
    check_with_nas = no
    permissions = 0600
    caller_id = yes
}
"""

ACCOUNTING = """
server counting {
    listen {
        type = acct
        ipaddr = 127.0.0.1
        port = %d
    }
    accounting {
        radutmp
    }
}
"""

# The one edit that the sample asks for, and the same in the tunnels.
COUNTED = {"\t#session {\n\t#\tradutmp\n\t#}\n": "\tsession {\n\t\tradutmp\n\t}\n",
           "server inner-devtrust {\n": "server inner-devtrust {\n\tsession {\n\t\tradutmp\n\t}\n",
           "server inner-devtrust-peap {\n":
           "server inner-devtrust-peap {\n\tsession {\n\t\tradutmp\n\t}\n",
           "use_tunneled_reply = no": "use_tunneled_reply = yes"}


def policy(application: str) -> dict[str, Any]:
    """People called free-... are let in at once; others after MFA, with the rule's timeout."""
    free = sites.rule("Free", 1, people={"users": {"include": ["free-*", "once-free*"]}})
    asked = sites.rule("Asked", 2, "NOT_TRUSTED", frequency="EVERY_SIGN_ON", factors=(PUSH, TOTP))
    asked["actions"]["reply"] = {"attributes": [{"name": "Session-Timeout", "value": 60}]}
    return {"name": application, "application": application,
            "rules": [free, asked, sites.catch_all()]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    port = rad.free_port()
    with rad.start_world(tmp_path_factory.mktemp("seams"), pki_index, replace=COUNTED,
                         users_text=ONCE + GIVEN, modules={"radutmp": RADUTMP},
                         sites={"counting": ACCOUNTING % port},
                         settings={"mfa": {"wait_wifi": "8s", "push_limit": "1000"}},
                         policies=[policy("vpn"), policy("wifi")]) as made:
        made.accounting = port  # type: ignore[attr-defined]
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def assert_given(reply: rad.Reply, timeout: int) -> None:
    """All of GIVEN, each once, in its order; but for what the rule set."""
    assert reply.code == rad.ACCEPT, str(reply)
    assert reply.all("Framed-IP-Address") == [bytes([192, 0, 2, 77])]
    assert reply.all("Filter-Id") == [SECRET_FILTER.encode(), b"second"]
    assert reply.all("Class") == [b"\0\xffclass"]
    assert reply.all("Session-Timeout") == [timeout.to_bytes(4, "big")]
    assert reply.all("Tunnel-Type") == [b"\0\0\0\x0d"]
    assert reply.all("Tunnel-Medium-Type") == [b"\0\0\0\x06"]
    assert [v.lstrip(b"\0") for v in reply.all("Tunnel-Private-Group-Id")] == [b"42"]
    assert reply.all("Reply-Message").count(b"welcome") == 1


def assert_nothing_given(reply: rad.Reply) -> None:
    for name in ("Framed-IP-Address", "Filter-Id", "Class", "Session-Timeout",
                 "Tunnel-Private-Group-Id"):
        assert not reply.all(name), name
    assert b"welcome" not in reply.all("Reply-Message")
    assert not reply.vendor(mschap.MICROSOFT, mschap.SEND_KEY)


# --- a gateway: PAP -----------------------------------------------------------------------------

def test_without_a_wait(world: World) -> None:
    assert_given(world.client().login(world.person("free-pap")), 3600)


def test_after_a_push(world: World) -> None:
    user = world.person("push", PUSH, push="approve", after=0.5)
    assert_given(world.client().login(user), 60)
    world.outcome(user, "MFA_SUCCESS")


def test_after_a_passcode(world: World) -> None:
    user = world.person("passcode", TOTP)
    client = world.client()
    first = client.login(user)
    assert first.code == rad.CHALLENGE
    assert_nothing_given(first)
    assert_given(client.login(user, world.passcode(user), first.state), 60)


def test_after_a_wrong_passcode_and_a_right_one(world: World) -> None:
    user = world.person("wrong-then-right", TOTP)
    client = world.client()
    first = client.login(user)
    right = world.passcode(user)
    second = client.login(user, f"{(int(right) + 1) % 1000000:06d}", first.state)
    assert second.code == rad.CHALLENGE
    assert_nothing_given(second)
    assert_given(client.login(user, right, second.state), 60)


@pytest.mark.parametrize("push", ["deny", "ignore"])
def test_refused_after_a_push(world: World, push: str) -> None:
    reply = world.client().login(world.person("refused-" + push, PUSH, push=push, after=0.3))
    assert reply.code == rad.REJECT
    assert_nothing_given(reply)


def test_refused_after_passcodes(world: World) -> None:
    user = world.person("refused-passcode", TOTP)
    client = world.client()
    reply = client.login(user)
    for _ in range(10):
        if reply.code != rad.CHALLENGE:
            break
        wrong = f"{(int(world.passcode(user)) + 1) % 1000000:06d}"
        reply = client.login(user, wrong, reply.state)
    assert reply.code == rad.REJECT
    assert_nothing_given(reply)


def test_the_store_holds_no_secret(world: World) -> None:
    """What is kept with a challenge is sealed: in the file, its journal and its write-ahead log."""
    user = world.person("sealed", TOTP)
    client = world.client()
    first = client.login(user)
    assert first.code == rad.CHALLENGE
    for path in world.site.store_path.parent.iterdir():
        assert SECRET_FILTER.encode() not in path.read_bytes(), path
    assert_given(client.login(user, world.passcode(user), first.state), 60)


def test_what_was_kept_cannot_be_put_under_another_state(world: World) -> None:
    users = [world.person("moved-" + n, TOTP) for n in "ab"]
    client = world.client()
    firsts = [client.login(user) for user in users]
    with sqlite3.connect(world.site.store_path, timeout=20) as store:
        rows = store.execute("SELECT rowid, value FROM rows WHERE tbl = 6 AND value IS NOT NULL "
                             "ORDER BY rowid DESC LIMIT 2").fetchall()
        assert len(rows) == 2
        for (row, _), (_, value) in zip(rows, reversed(rows)):
            store.execute("UPDATE rows SET value = ? WHERE rowid = ?", (value, row))
    for user, first in zip(users, firsts):
        reply = client.login(user, world.passcode(user), first.state)
        assert reply.code == rad.REJECT
        assert_nothing_given(reply)
        world.outcome(user, "STATE_INVALID")


# --- a gateway: MS-CHAPv2 ------------------------------------------------------------------------

def assert_keys(reply: rad.Reply, exchange: mschap.Exchange) -> None:
    """What the client wants before it takes an Accept, and what encrypts its tunnel."""
    success = reply.vendor(mschap.MICROSOFT, mschap.SUCCESS)
    assert [value[1:] for value in success] == [exchange.success[1:]]
    for kind in (mschap.SEND_KEY, mschap.RECV_KEY):
        assert [len(v) for v in reply.vendor(mschap.MICROSOFT, kind)] == [34]


@pytest.mark.parametrize("name,factor,timeout", [
    ("free-mschap", None, 3600), pytest.param("mschap-push", PUSH, 60, marks=cell(
        "radius", MSCHAP, "push"))])
def test_mschap(world: World, name: str, factor: Any, timeout: int) -> None:
    user = world.person(name, *([factor] if factor else []), push="approve", after=0.5)
    reply, exchange = world.client().mschap(user)
    assert_given(reply, timeout)
    assert_keys(reply, exchange)


@cell("radius", MSCHAP, "passcode")
def test_mschap_after_a_passcode(world: World) -> None:
    user = world.person("mschap-passcode", TOTP)
    client = world.client()
    first, exchange = client.mschap(user)
    assert first.code == rad.CHALLENGE
    assert_nothing_given(first)
    reply = client.login(user, world.passcode(user), first.state)
    assert_given(reply, 60)
    assert_keys(reply, exchange)


@cell("radius", MSCHAP, "denied")
def test_mschap_refused(world: World) -> None:
    user = world.person("mschap-deny", PUSH, push="deny", after=0.3)
    reply, _ = world.client().mschap(user)
    assert reply.code == rad.REJECT
    assert_nothing_given(reply)
    assert not reply.vendor(mschap.MICROSOFT, mschap.SUCCESS)
    other, _ = world.client().mschap(world.person("mschap-wrong", PUSH, push="approve"), "wrong")
    assert other.code == rad.REJECT
    assert not world.sim.pushes("mschap-wrong@example.com")


# --- limits on sessions --------------------------------------------------------------------------

def begin_session(world: World, user: str) -> None:
    """The gateway tells that the person is in."""
    lines = [f'User-Name = "{user}"', "NAS-IP-Address = 192.0.2.1", "NAS-Port = 7",
             "Acct-Status-Type = Start", f'Acct-Session-Id = "{user}"', "Framed-Protocol = PPP"]
    done = subprocess.run(["radclient", "-x", f"127.0.0.1:{world.accounting}",  # type: ignore
                           "acct", rad.SECRET.decode()], input=", ".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=30)
    assert "Accounting-Response" in done.stdout, done.stdout


@pytest.mark.parametrize("name,factor", [("once-free", None), ("once-push", PUSH),
                                         ("once-passcode", TOTP)])
def test_simultaneous_use(world: World, name: str, factor: Any) -> None:
    user = world.person(name, *([factor] if factor else []), push="approve", after=0.3)

    def signs_on() -> rad.Reply:
        client = world.client()
        reply = client.login(user)
        if factor == TOTP:
            assert reply.code == rad.CHALLENGE
            reply = client.login(user, world.passcode(user), reply.state)
        return reply

    assert_given(signs_on(), 3600 if factor is None else 60)
    begin_session(world, user)
    second = signs_on()
    assert second.code == rad.REJECT
    assert_nothing_given(second)


@pytest.mark.parametrize("method", ["ttls", "peap"])
@pytest.mark.parametrize("kind", ["free", "push"])
def test_simultaneous_use_in_a_tunnel(world: World, method: str, kind: str) -> None:
    user = world.person(f"once-{kind}-{method}", PUSH, push="approve", after=0.3)
    signs_on = {"ttls": rad.eap_ttls, "peap": rad.eap_peap}[method]
    assert signs_on(world.radius, user, rad.PASSWORD, station=station()).success
    pushes = len(world.sim.pushes(user + "@example.com"))
    begin_session(world, user)
    end = signs_on(world.radius, user, rad.PASSWORD, station=station())
    assert not end.success and end.accepts == 0
    assert len(world.sim.pushes(user + "@example.com")) == pushes, "sent no request"


# --- from a tunnel -------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["ttls", "peap"])
@pytest.mark.parametrize("kind", ["free", "push"])
def test_tunneled_reply(world: World, method: str, kind: str) -> None:
    """With use_tunneled_reply the VLAN is in the outer Accept, once, and no Reply-Message is."""
    user = world.person(f"{kind}-{method}", PUSH, push="approve", after=0.5)
    signs_on = {"ttls": rad.eap_ttls, "peap": rad.eap_peap}[method]
    end = signs_on(world.radius, user, rad.PASSWORD, station=station())
    assert end.success, end.output[-3000:]
    assert "MPPE keys OK: 1" in end.output
    code, attributes = end.packets[-1]
    assert code == rad.ACCEPT and eap_vlan(end.output) == "42"
    kinds = [number for number, _ in attributes]
    for name in ("Tunnel-Type", "Tunnel-Private-Group-Id", "Framed-IP-Address", "Class"):
        assert kinds.count(rad.ATTRIBUTES[name]) == 1, name
    timeouts = [v for k, v in attributes if k == rad.ATTRIBUTES["Session-Timeout"]]
    assert timeouts == [b"3600" if kind == "free" else b"60"]
    assert all(rad.ATTRIBUTES["Reply-Message"] not in [k for k, _ in given]
               for _, given in end.packets)
    assert all(code == rad.ACCEPT or rad.ATTRIBUTES["Class"] not in [k for k, _ in given]
               for code, given in end.packets if code != 1)


# --- bounds --------------------------------------------------------------------------------------

MUCH = {"\t\t\tfiles\n\t\t\tpap\n": "\t\t\tfiles\n\t\t\tpap\n" + "\t\t\tupdate control {\n"
        + "\t\t\t\t&Tmp-String-1 += \"" + 240 * "x" + "\"\n" * 1
        + "\t\t\t}\n\t\t\tforeach &control:Tmp-Integer-0 {\n\t\t\t\tupdate control {\n"
        + "\t\t\t\t\t&Tmp-String-1 += \"" + 240 * "y" + "\"\n\t\t\t\t}\n\t\t\t}\n"}


def test_more_than_can_be_kept_is_refused(tmp_path: Any, pki_index: dict[str, Any]) -> None:
    """With a cause that names what is too much; whoever does not have to wait is not concerned."""
    numbers = ", ".join(f"Tmp-Integer-0 += {i}" for i in range(200))
    much = f'DEFAULT {numbers}\n    Fall-Through = Yes\n\n'
    with rad.start_world(tmp_path, pki_index, replace=MUCH, users_text=much + GIVEN,
                         policies=[policy("vpn"), policy("wifi")]) as world:
        assert_given(world.client().login(world.person("free-much")), 3600)
        for user in (world.person("much-push", PUSH, push="approve"),
                     world.person("much-passcode", TOTP)):
            reply = world.client().login(user)
            assert reply.code == rad.REJECT
            assert_nothing_given(reply)
            detail = world.outcome(user, "CONFIG")["detail"]
            assert "Tmp-String-1" in detail and "32768" in detail, json.dumps(detail)
            assert not world.sim.pushes(user + "@example.com") or user == "much-push"
