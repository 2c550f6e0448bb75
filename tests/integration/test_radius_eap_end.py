# SPDX-License-Identifier: GPL-2.0-or-later
# How EAP conversations end: each refusal with EAP-Failure and the right identifier, wherever it is
# made; and methods without a tunnel, as gateways of IKEv2 send them, wait as a password does.
"""FreeRADIUS with rlm_devtrust: the end of EAP."""

from __future__ import annotations

import os
from typing import Any, Iterator

import pytest

from tests.integration.test_radius_reply import station
from tests.integration.test_radius_seams import GIVEN
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import World

PUSH, TOTP = "push", "token:software:totp"

# The methods without a tunnel that the sample's eap lacks; and a port for devtrust-ikev2.
METHODS = {"\tmschapv2 {\n\t\tsend_error = no\n\t}\n\n\t# auth_type names the section of inner":
           "\tmschapv2 {\n\t\tsend_error = no\n\t}\n\tmd5 {\n\t}\n\tpwd {\n\t\tgroup = 19\n"
           "\t\tserver_id = radius@example.com\n\t\tfragment_size = 1020\n"
           "\t\tvirtual_server = passwords-of-pwd\n\t}\n\n\t# auth_type names the section of inner"}

PASSWORDS = """
server passwords-of-pwd {
    authorize {
        files
    }
}
"""

PLAIN = ["MD5", "MSCHAPV2", "GTC", "PWD"]
SLOW = bool(os.environ.get("DEVTRUST_SLOW"))


def some(*methods: str) -> list[str]:
    """Of the methods without a tunnel, whose refusals the same code makes: each rule with one or
    two, each method with several rules. All with all with DEVTRUST_SLOW=1."""
    return PLAIN if SLOW else list(methods)


def policy(application: str) -> dict[str, Any]:
    banned = sites.rule("Banned", 1, access="DENY", people={"users": {"include": ["banned-*"]}})
    free = sites.rule("Free", 2, people={"users": {"include": ["free-*"]}})
    free["actions"]["reply"] = {"attributes": [{"name": "Class", "value": "of the rule"}]}
    asked = sites.rule("Asked", 3, "NOT_TRUSTED", frequency="EVERY_SIGN_ON", factors=(PUSH, TOTP))
    trusted = sites.rule("Trusted", 4, "TRUSTED")
    return {"name": application, "application": application,
            "rules": [banned, free, asked, trusted, sites.catch_all()]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    port = rad.free_port()
    listen = ("server devtrust-ikev2 {\n", "server devtrust-ikev2 {\n\tlisten {\n\t\ttype = auth\n"
              f"\t\tipaddr = 127.0.0.1\n\t\tport = {port}\n\t}}\n")
    with rad.start_world(tmp_path_factory.mktemp("eap-end"), pki_index,
                         replace={**METHODS, listen[0]: listen[1]}, users_text=GIVEN,
                         sites={"passwords": PASSWORDS},
                         settings={"mfa": {"wait_wifi": "4s", "wait_vpn": "4s",
                                           "push_limit": "1000"}},
                         policies=[policy("vpn"), policy("wifi")]) as made:
        made.plain_port = port  # type: ignore[attr-defined]
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


def plain(world: World, method: str, user: str, password: str = rad.PASSWORD) -> rad.Eap:
    return rad.eapol_test(world.radius, rad.plain_network(world.radius, method, user, password),
                          station=station(), port=world.plain_port,  # type: ignore[attr-defined]
                          keys=method in ("MSCHAPV2", "PWD"), timeout=15)


def assert_failed(end: rad.Eap) -> None:
    """Refused with EAP-Failure alone, whose identifier is that of the response (RFC 3748 4.2)."""
    assert not end.success and end.accepts == 0 and end.rejects == 1, end.output[-3000:]
    assert end.identifiers is not None, end.output[-3000:]
    response, failure = end.identifiers
    assert response == failure
    given = [kind for kind, _ in end.packets[-1][1]]
    for name in ("Reply-Message", "Class", "Framed-IP-Address", "Filter-Id"):
        assert rad.ATTRIBUTES[name] not in given, name


# --- methods without a tunnel --------------------------------------------------------------------

@pytest.mark.parametrize("method", PLAIN)
def test_plain_method_is_let_in(world: World, method: str) -> None:
    end = plain(world, method, world.person("free-" + method.lower()))
    assert end.success and end.accepts == 1, end.output[-3000:]
    classes = [v for k, v in end.packets[-1][1] if k == rad.ATTRIBUTES["Class"]]
    assert classes == [b"of the rule"]


@pytest.mark.parametrize("method", some("MSCHAPV2", "PWD"))  # with keys, which a wait must not lose
def test_plain_method_waits_for_a_push(world: World, method: str) -> None:
    """What the server said, its keys and EAP-Success are there again after the wait."""
    user = world.person("yes-" + method.lower(), PUSH, push="approve", after=1.5)
    end = plain(world, method, user)
    assert end.success and end.accepts == 1, end.output[-3000:]
    code, attributes = end.packets[-1]
    kinds = [kind for kind, _ in attributes]
    assert code == rad.ACCEPT and kinds.count(rad.ATTRIBUTES["EAP-Message"]) == 1
    assert kinds.count(rad.ATTRIBUTES["Framed-IP-Address"]) == 1
    assert rad.ATTRIBUTES["Reply-Message"] not in kinds
    assert world.outcome(user, "MFA_SUCCESS")["factor"] == PUSH
    assert len(world.sim.pushes(user + "@example.com")) == 1


@pytest.mark.parametrize("method,mode,cause", [
    *[(method, "deny", "MFA_REJECTED") for method in some("MSCHAPV2", "GTC")],
    *[(method, "ignore", "MFA_TIMEOUT") for method in some("MD5")]])
def test_plain_method_without_an_approval(world: World, method: str, mode: str,
                                          cause: str) -> None:
    user = world.person(f"{mode}-{method.lower()}", PUSH, push=mode, after=0.5)
    assert_failed(plain(world, method, user))
    world.outcome(user, cause)


@pytest.mark.parametrize("method", some("MD5", "PWD"))
def test_plain_method_is_denied_by_a_rule(world: World, method: str) -> None:
    user = world.person("banned-" + method.lower())
    assert_failed(plain(world, method, user))
    world.outcome(user, "RULE_DENY")


@pytest.mark.parametrize("method", some("MSCHAPV2"))
def test_plain_method_can_ask_for_nothing(world: World, method: str) -> None:
    user = world.person("totp-" + method.lower(), TOTP)
    assert_failed(plain(world, method, user))
    world.outcome(user, "MFA_NO_FACTOR")


@pytest.mark.parametrize("method", PLAIN)
def test_plain_method_with_a_wrong_password(world: World, method: str) -> None:
    user = world.person("wrong-" + method.lower(), PUSH, push="approve")
    end = plain(world, method, user, "wrong")
    assert not end.success and end.accepts == 0
    assert not world.sim.pushes(user + "@example.com")


# --- TLS, TTLS, PEAP -----------------------------------------------------------------------------

def signs_on(world: World, method: str, user: str) -> rad.Eap:
    if method == "tls":
        certificate = world.pki["devices"]["device-p384"]  # which nobody enrolled
        return rad.eap_tls(world.radius, user, certificate, station=station(), timeout=15)
    if method == "ttls":
        return rad.eap_ttls(world.radius, user, rad.PASSWORD, station=station(), timeout=15)
    return rad.eap_peap(world.radius, user, rad.PASSWORD, method, station=station(), timeout=15)


@pytest.mark.parametrize("method", ["tls", "ttls", "MSCHAPV2"] + (["GTC"] if SLOW else []))
@pytest.mark.parametrize("kind,cause", [("deny", "MFA_REJECTED"), ("ignore", "MFA_TIMEOUT"),
                                        ("banned", "RULE_DENY"), ("totp", "MFA_NO_FACTOR")])
def test_tls_methods_end_with_a_failure(world: World, method: str, kind: str, cause: str) -> None:
    user = world.person(f"{kind}-{method.lower()}", TOTP if kind == "totp" else PUSH,
                        **({"push": kind, "after": 0.3} if kind in ("deny", "ignore") else {}))
    assert_failed(signs_on(world, method, user))
    world.outcome(user, cause)


# --- refused by somebody else, and where ----------------------------------------------------------

REFUSES = "\n\t\tif (&User-Name =~ /^refused/) {\n\t\t\treject\n\t\t}\n"
PLACES = {
    "authorize": {"\tauthorize {\n\t\teap_devtrust {": "\tauthorize {" + REFUSES
                  + "\t\teap_devtrust {"},
    "post-auth": {"EAP-Failure.\n\t\tdevtrust_wifi\n": "\n\t\tdevtrust_wifi\n" + REFUSES},
    "inner authorize": {"server inner-devtrust {\n\tauthorize {":
                        "server inner-devtrust {\n\tauthorize {" + REFUSES},
    "inner post-auth": {"\tpost-auth {\n\t\tdevtrust_tunnel\n": "\tpost-auth {" + REFUSES
                        + "\t\tdevtrust_tunnel\n"},
}


@pytest.mark.parametrize("place", PLACES)
def test_refused_wherever(tmp_path: Any, pki_index: dict[str, Any], place: str) -> None:
    """A section of the administrator's refuses; also after somebody approved."""
    with rad.start_world(tmp_path, pki_index, replace=PLACES[place],
                         settings={"mfa": {"wait_wifi": "4s"}},
                         policies=[policy("vpn"), policy("wifi")]) as world:
        late = place.endswith("post-auth")  # elsewhere nobody is asked before
        for name in ["refused-free"] * (SLOW or not late) + ["refused-push"] * (SLOW or late):
            user = world.person(name, PUSH, push="approve", after=0.3)
            network = rad.ttls_network(world.radius, user, rad.PASSWORD).replace(
                '"anonymous"', f'"{user}"')
            assert_failed(rad.eapol_test(world.radius, network, station=station(), timeout=15))
