# SPDX-License-Identifier: GPL-2.0-or-later
# Gateways write one station, and themselves, in many ways; and some leave something out.
"""FreeRADIUS with rlm_devtrust: one place under several names."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_radius_reply import policy
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, Client, World

PUSH, TOTP = "push", "token:software:totp"
STATION, SERVER = "Calling-Station-Id", "NAS-Identifier"
PORT_6 = rad.free_port()
MORE = """
client six {
    ipv6addr = ::1
    secret = %(secret)s
    require_message_authenticator = yes
}
client second {
    ipaddr = 127.0.0.2
    secret = %(secret)s
    require_message_authenticator = yes
}
listen {
    type = auth
    ipv6addr = ::1
    port = %(port)d
    virtual_server = devtrust-vpn
}
""" % {"secret": rad.SECRET.decode(), "port": PORT_6}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    policies = [policy("vpn", "ONCE_PER_SESSION", "STATION"), policy("wifi", "ONCE_A_DAY")]
    with rad.start_world(tmp_path_factory.mktemp("place"), pki_index, policies=policies,
                         settings={"mfa": {"wait_vpn": "12s", "push_limit": "100"}},
                         extra=MORE) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def gateway(world: World, source: str = "", **attributes: Any) -> Client:
    """One without a name: what it is called by is up to the test."""
    client = world.radius.client(PORT_6 if ":" in source else None, **attributes)
    client.source = source
    return client


def somebody(world: World, *factors: str, **more: Any) -> str:
    return world.person("place" + secrets.token_hex(4), *factors, **more)


def answered(world: World, user: str, asked: Client, answers: Client) -> int:
    """How the right answer to a challenge ends, when it comes from there."""
    reply = asked.login(user)
    assert reply.code == CHALLENGE, reply
    return answers.login(user, world.passcode(user), reply.state).code


# --- stations ------------------------------------------------------------------------------------

SAME = [("198.51.100.7", ["198.51.100.7:51234", "198.51.100.7:4", "198.51.100.7[4500]",
                          "::ffff:198.51.100.7", " 198.51.100.7"]),
        ("2001:db8::7", ["[2001:db8::7]:4500", "[2001:db8::7]", "2001:DB8:0::7",
                         "2001:db8::7[500]"]),
        ("02-00-5E-10-00-AF", ["02-00-5e-10-00-af", "0200.5e10.00af", "02:00:5e:10:00:AF",
                               "02005e-1000af", "02005E1000AF", "0200-5e10-00af"])]
PAIRS = [(form, other) for form, others in SAME for other in others]


@pytest.mark.parametrize("form,other", PAIRS)
def test_a_station_is_itself_however_it_is_written(world: World, form: str, other: str) -> None:
    for first, second in ((form, other), (other, form)):
        user = somebody(world, TOTP)
        assert answered(world, user, world.client(**{STATION: first}),
                        world.client(**{STATION: second})) == ACCEPT
        assert world.outcome(user, "MFA_SUCCESS")["station"] == form
    # and remembered MFA, by station and session, knows it under each name
    more = {"Acct-Session-Id": secrets.token_hex(4)}
    user = somebody(world, TOTP)
    assert answered(world, user, world.client(**{STATION: form, **more}),
                    world.client(**{STATION: other, **more})) == ACCEPT
    assert world.client(**{STATION: other, **more}).login(user).code == ACCEPT
    assert world.client(**{STATION: "198.51.100.99", **more}).login(user).code == CHALLENGE


@pytest.mark.parametrize("form,other", [
    ("198.51.100.7:51234", "198.51.100.8:51234"), ("198.51.100.7[4500]", "198.51.100.71[4500]"),
    ("198.51.100.7:1", "198.51.100.7:1[4500]"), ("[2001:db8::7]:4500", "[2001:db8::8]:4500"),
    ("02-00-5e-10-00-af", "02005e-1000ae"), ("02005e1000af", "02005e1000a"),
    ("laptop", "laptop-2"), ("laptop", "198.51.100.7")])
def test_another_station_is_refused(world: World, form: str, other: str) -> None:
    user = somebody(world, TOTP)
    assert answered(world, user, world.client(**{STATION: form}),
                    world.client(**{STATION: other})) == REJECT
    assert "somebody else" in world.outcome(user, "STATE_INVALID")["detail"]


@pytest.mark.parametrize("left_out", [[], "", "0.0.0.0", "00-00-00-00-00-00"])
def test_an_answer_may_leave_the_station_out(world: World, left_out: Any) -> None:
    user = somebody(world, TOTP)
    assert answered(world, user, world.client(), world.client(**{STATION: left_out})) == ACCEPT
    # but nothing else
    user = somebody(world, TOTP)
    assert answered(world, user, world.client(),
                    world.client(**{STATION: left_out, SERVER: "gateway-2"})) == REJECT


def test_a_station_that_turns_up_later_is_another(world: World) -> None:
    user = somebody(world, TOTP)
    assert answered(world, user, world.client(**{STATION: []}), world.client()) == REJECT


@pytest.mark.parametrize("form,other", [(f, o[1]) for f, o in SAME])
def test_one_station_has_one_push(world: World, form: str, other: str) -> None:
    user = somebody(world, PUSH, push="manual")
    first = world.client(**{STATION: form}).start(user)
    world.sim.wait_push(user + "@example.com")
    second = world.client(**{STATION: other}).start(user)
    assert second.poll(0.7) is None
    world.sim.approve(user + "@example.com")
    assert [first.wait().code, second.wait().code] == [ACCEPT] * 2
    assert len(world.sim.pushes(user + "@example.com")) == 1


# --- servers -------------------------------------------------------------------------------------

def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


V4, V6 = "NAS-IP-Address", "NAS-IPv6-Address"


@pytest.mark.parametrize("here,named,there", [
    (("", {V4: address("192.0.2.1")}), "192.0.2.1", ("", {V4: address("192.0.2.2")})),
    (("", {V6: address("2001:db8::1")}), "2001:db8::1", ("", {V6: address("2001:db8::2")})),
    (("::1", {V6: address("2001:db8::1")}), "2001:db8::1", ("::1", {V6: address("2001:db8::2")})),
    (("::1", {}), "::1", ("127.0.0.1", {})),
    (("127.0.0.2", {}), "127.0.0.2", ("127.0.0.1", {})),
    (("127.0.0.2", {V4: address("127.0.0.1")}), "127.0.0.2",  # as OpenVPN's plugin says
     ("127.0.0.1", {V4: address("127.0.0.1")})),
    (("127.0.0.2", {V4: address("0.0.0.0")}), "127.0.0.2", ("127.0.0.1", {V4: address("0.0.0.0")})),
    (("127.0.0.2", {SERVER: " "}), "127.0.0.2", ("127.0.0.1", {SERVER: " "})),
])
def test_a_server_without_a_name_is_itself(world: World, here: tuple[str, dict[str, Any]],
                                           named: str, there: tuple[str, dict[str, Any]]) -> None:
    one = gateway(world, here[0], **here[1], **{STATION: "198.51.100.7"})
    other = gateway(world, there[0], **there[1], **{STATION: "198.51.100.7"})
    user = somebody(world, TOTP)
    state = one.login(user).state
    assert other.login(user, world.passcode(user), state).code == REJECT
    assert "somebody else" in world.outcome(user, "STATE_INVALID")["detail"]
    assert one.login(user, world.passcode(user), state).code == ACCEPT
    assert world.outcome(user, "MFA_SUCCESS")["nas"] == named
    # ONCE_PER_SESSION: the session of a server, by number
    session = {"Acct-Session-Id": secrets.token_hex(4)}
    user = somebody(world, PUSH, push="approve")
    for client, pushes in ((one, 1), (one, 1), (other, 2), (other, 2), (one, 2)):
        assert client.login(user, **session).code == ACCEPT
        assert len(world.sim.pushes(user + "@example.com")) == pushes


def test_servers_without_a_name_share_no_push(world: World) -> None:
    """Where nothing tells one place from another."""
    user = somebody(world, PUSH, push="manual")
    first = gateway(world, "::1", **{V6: address("2001:db8::1")}).start(user)
    world.sim.wait_push(user + "@example.com")
    assert gateway(world, "::1", **{V6: address("2001:db8::2")}).login(user).code == REJECT
    world.outcome(user, "MFA_PUSH_PENDING")
    world.sim.approve(user + "@example.com")
    assert first.wait().code == ACCEPT


# --- States of others ----------------------------------------------------------------------------

def test_a_state_of_another_server_is_called_so(world: World, tmp_path: Path,
                                                pki_index: dict[str, Any]) -> None:
    user = somebody(world, TOTP)
    site = sites.Site(tmp_path / "site", world.sim, pki_index)
    with rad.Radius(tmp_path / "raddb", site) as there:
        state = there.client(**world.client().defaults).login(user).state
    for foreign in (state, secrets.token_bytes(16), b"x"):
        before = len(world.outcomes(user, "STATE_INVALID"))
        reply = world.client().login(user, world.passcode(user), foreign)
        assert reply.code == REJECT, reply
        event = world.outcome(user, "STATE_INVALID", before + 1)
        assert "another server or with another state key" in event["detail"]
        assert "state_key_file" in event["detail"]
    assert not world.outcomes(user, "PRIMARY_MISSING")
