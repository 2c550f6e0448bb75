# SPDX-License-Identifier: GPL-2.0-or-later
# People who bring attributes that they should not have a say in, such as realms or a place of their
# choice inside a tunnel; and virtual servers that overrule what devtrust said.
"""FreeRADIUS with rlm_devtrust: hostile attributes."""

from __future__ import annotations

import re
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad, site as sites
from tests.lib.radius import ACCEPT, REJECT, World

PUSH = "push"
SETTINGS = {"mfa": {"wait_vpn": "8s", "wait_wifi": "8s", "push_limit": "20"}}

MODULES = "# rlm_devtrust: device trust and MFA for FreeRADIUS."
MORE_MODULES = """
realm suffix {
    format = suffix
    delimiter = "@"
}
devtrust devtrust_closed {
    config = /etc/devtrust/radius.conf
    application = closed
}
#"""

# Virtual servers of the tests: where realms are looked for, and where the administrator goes on
# whatever devtrust said.
SERVER = """
server %(name)s {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = %(port)d
    }
    authorize {
        suffix
        files
        pap
    }
    authenticate {
        Auth-Type PAP {
            pap
            if (ok) {
                update control {
                    &DevTrust-Primary := "Verified"
                }
                update reply {
                    &Reply-Message := "Welcome"
                    &MS-MPPE-Send-Key := 0x00112233445566778899aabbccddeeff
                    &MS-MPPE-Recv-Key := 0x00112233445566778899aabbccddeeff
                }
                %(devtrust)s {
                    reject = 1
                    fail = 1
                    invalid = 1
                    userlock = 1
                    %(more)s
                }
                %(after)s
            }
        }
    }
    post-proxy {
        devtrust
    }
    post-auth {
        devtrust
        Post-Auth-Type REJECT {
            devtrust
        }
    }
}
"""
SERVERS = {"realms": ("devtrust", "", ""), "denied": ("devtrust_closed", "", "ok"),
           "unanswered": ("devtrust", "handled = 1", "ok"),
           "another": ("devtrust_closed", "", "ok\n devtrust"),
           "first": ("devtrust", "", "")}
PORTS = {name: rad.free_port() for name in SERVERS}
SITES = {name: SERVER % {"name": name, "port": PORTS[name], "devtrust": devtrust, "more": more,
                         "after": after}
         for name, (devtrust, more, after) in SERVERS.items()}
# Their post-auth asks for the closed application: "denied" was signed on to it, "first" to another.
for closed in ("denied", "first"):
    SITES[closed] = SITES[closed].replace("post-auth {\n        devtrust\n",
                                          "post-auth {\n        devtrust_closed\n")
POLICIES = [sites.guide_policy("vpn"), sites.guide_policy("wifi"),
            {"name": "closed", "application": "closed", "rules": [sites.catch_all()]}]

# What a supplicant may send as AVPs inside the tunnel.
INNER = "server inner-devtrust {\n\tauthorize {\n"
SPOOFED = INNER + """
        update request {
            &Calling-Station-Id := "victims-place"
            &NAS-Identifier := "victims-nas"
            &Proxy-State += 0x%(long)s
            &Proxy-State += 0x%(long)s
            &Proxy-State += 0x%(long)s
            &State += 0x00112233445566778899aabbccddeeff
            &Message-Authenticator := 0x00
            &EAP-Message := 0x0201000501
        }
""" % {"long": "ab" * 240}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("hostile")
    with rad.start_world(directory, pki_index, settings=SETTINGS, policies=POLICIES, sites=SITES,
                         replace={INNER: SPOOFED, MODULES: MORE_MODULES}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def realms_of_the_room(world: World) -> set[str]:
    """Names that a look at the server's log would suggest, and that were guessable once."""
    return ({"devtrust-waiting-room-1", "devtrust-1", "devtrust", "devtrust-waiting-room"}
            | set(re.findall(r"realm (\S*devtrust\S*)", world.radius.log_text())))


def test_nobody_finds_the_waiting_room_by_its_realm(world: World) -> None:
    """Who is waiting there is not disturbed by who asks for it by name."""
    user = world.person("patient", PUSH, push="manual")
    waiting = world.client().start(user)
    world.sim.wait_push(user + "@example.com")
    client = world.radius.client(PORTS["realms"])
    for realm in realms_of_the_room(world):
        for state in (None, b"\0" * 16):
            reply = client.login("mallory@" + realm, "wrong password", state)
            assert reply.code == REJECT and reply.elapsed < 3, reply
    assert waiting.poll() is None
    world.sim.approve(user + "@example.com")
    assert waiting.wait().code == ACCEPT


def test_the_place_comes_from_outside_the_tunnel(world: World) -> None:
    """Else one could join the push of whoever is signing on elsewhere. What else comes from inside
    keeps nobody's answer away, and does not make devtrust leave the decision to somebody else."""
    user = world.person("tunneled", PUSH, push="approve", after=1.0)
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station="02-00-00-00-7A-01")
    assert end.success, end.output[-3000:]
    event = world.outcome(user, "MFA_SUCCESS")
    assert event["station"] == "02-00-00-00-7A-01"
    assert event["nas"] == "127.0.0.1"


def test_a_spoofed_place_joins_no_push(world: World) -> None:
    """Nor does it get one of its own while the other's is pending."""
    user = world.person("twice", PUSH, push="manual")
    places = ("02-00-00-00-7A-02", "02-00-00-00-7A-03")
    network = rad.ttls_network(world.radius, user, rad.PASSWORD)
    first = rad.Supplicant(world.radius, network, times=1, station=places[0])
    try:
        world.sim.wait_push(user + "@example.com")
        with rad.Supplicant(world.radius, network, times=1, station=places[1]) as second:
            assert not second.finish().success
        world.outcome(user, "MFA_PUSH_PENDING")
        assert not first.finish().success
    finally:
        first.__exit__()
    assert len(world.sim.pushes(user + "@example.com")) == 1


# --- whose push it is ----------------------------------------------------------------------------

def test_two_people_at_one_place_have_two_pushes(world: World) -> None:
    users = [world.person(name, PUSH, push="manual") for name in ("left", "right")]
    pending = [world.client().start(user) for user in users]
    for user in users:
        world.sim.wait_push(user + "@example.com")
    world.sim.approve("left@example.com")
    assert pending[0].wait().code == ACCEPT
    assert pending[1].poll() is None
    world.sim.deny("right@example.com")
    assert pending[1].wait().code == REJECT


def test_two_gateways_have_one_push(world: World) -> None:
    """A fail-over of the same station's sign-on joins; one approval is one sign-on's, by both."""
    user = world.person("both", PUSH, push="manual")
    pending = [world.client(**{"NAS-Identifier": "here"}).start(user)]
    world.sim.wait_push(user + "@example.com")
    pending.append(world.client(**{"NAS-Identifier": "there"}).start(user))
    world.sim.deny(user + "@example.com")
    assert [p.wait().code for p in pending] == [REJECT, REJECT]
    assert len(world.sim.pushes(user + "@example.com")) == 1


def test_a_nul_does_not_make_another_name(world: World) -> None:
    """Expansions are C strings: what follows a NUL would be cut off."""
    user = world.person("victim", PUSH, push="approve")
    attributes = [("User-Name", user.encode() + b"\0x"), ("User-Password", rad.PASSWORD),
                  ("NAS-Identifier", "gateway-1")]
    reply = world.client().request(attributes).send().wait()
    assert reply.code == REJECT, reply
    assert not world.sim.pushes(user + "@example.com")


# --- what devtrust denied stays denied -----------------------------------------------------------

def refused(world: World, user: str, server: str) -> None:
    """A refusal that gives nothing away."""
    reply = world.radius.client(PORTS[server]).login(user)
    assert reply.code == REJECT, reply
    assert "Welcome" not in reply.message
    assert not [kind for kind, _ in reply.attributes if kind == rad.VENDOR_SPECIFIC], reply
    event = world.outcome(user, "PRIMARY_MISSING")
    assert "no sign-on of this request" in event["detail"]


def test_a_denial_cannot_be_overruled(world: World) -> None:
    user = world.person("overruled")
    refused(world, user, "denied")
    world.outcome(user, "RULE_DENY")


def test_going_on_without_waiting_for_the_answer(world: World) -> None:
    user = world.person("unanswered", PUSH, push="approve", after=3.0)
    refused(world, user, "unanswered")


def test_an_allowance_for_another_application(world: World) -> None:
    user = world.person("elsewhere", PUSH, push="approve", after=0.1)
    refused(world, user, "first")
    world.outcome(user, "MFA_SUCCESS")


def test_the_last_word_counts(world: World) -> None:
    """Denied by one instance, then allowed by another, for the application that is asked for."""
    user = world.person("lastly", PUSH, push="approve", after=0.1)
    reply = world.radius.client(PORTS["another"]).login(user)
    assert reply.code == ACCEPT, reply
    world.outcome(user, "RULE_DENY")
    world.outcome(user, "MFA_SUCCESS")
