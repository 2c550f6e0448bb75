# SPDX-License-Identifier: GPL-2.0-or-later
# FreeRADIUS's own radclient, by each kind of password that it sends: PAP, CHAP, MS-CHAP.
"""FreeRADIUS with rlm_devtrust: radclient."""

from __future__ import annotations

import re
import subprocess
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.matrix import cell
from tests.lib.radius import World

PUSH, TOTP = "push", "token:software:totp"
KINDS = {"PAP": "User-Password", "CHAP": "CHAP-Password", "MS-CHAP": "MS-CHAP-Password"}
# The samples check no CHAP: whoever wants it adds it as it is with PAP.
CHAP = {"\t\t\tfiles\n\t\t\tpap\n\t\t\tmschap\n":
        "\t\t\tchap\n\t\t\tfiles\n\t\t\tpap\n\t\t\tmschap\n",
        "\tauthenticate {\n\t\tAuth-Type PAP {\n\t\t\t# With LDAP":
        "\tauthenticate {\n\t\tAuth-Type CHAP {\n\t\t\tchap\n\t\t\tif (ok) {\n"
        "\t\t\t\tupdate control {\n\t\t\t\t\t&DevTrust-Primary := \"Verified\"\n\t\t\t\t}\n"
        "\t\t\t\tdevtrust\n\t\t\t}\n\t\t}\n\t\tAuth-Type PAP {\n\t\t\t# With LDAP"}
SETTINGS = {"device_trust": {"trusted_when": "vpn-client+intune"},
            "mfa": {"wait_vpn": "12s", "push_limit": "1000"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("radclient"), pki_index, settings=SETTINGS,
                         replace=CHAP, modules={"chap": "chap {\n}\n"}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def kinds(case: str) -> list[Any]:
    return [pytest.param(kind, marks=cell("radius", "radclient, " + kind, case, whole=True))
            for kind in KINDS]


def send(world: World, *lines: str) -> str:
    """Everything that it printed."""
    given = ['NAS-Identifier = "gateway-1"', 'Calling-Station-Id = "198.51.100.7"',
             "Message-Authenticator = 0x00", *lines]
    done = subprocess.run(["radclient", "-x", "-r", "1", "-t", "40",
                           f"127.0.0.1:{world.radius.vpn_port}", "auth", rad.SECRET.decode()],
                          input=", ".join(given) + "\n", text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=60)
    return done.stdout


def sign_on(world: World, kind: str, user: str, *lines: str) -> str:
    return send(world, f'User-Name = "{user}"', f'{KINDS[kind]} = "{rad.PASSWORD}"', *lines)


@pytest.mark.parametrize("kind", kinds("trusted"))
def test_trusted(world: World, kind: str) -> None:
    user = world.person("trusted-" + kind.lower(), PUSH)
    device = world.sim.enrol_device(user=user + "@example.com")["id"]
    pairs = ["mdm-tlv=device-platform=win", "mdm-tlv=device-uid=" + device]
    output = sign_on(world, kind, user, *(f'Cisco-AVPair += "{pair}"' for pair in pairs))
    assert "Received Access-Accept" in output, output
    assert world.outcome(user, "RULE_ALLOW")["verdict"] == "TRUSTED"
    assert not world.sim.pushes(user + "@example.com")


@pytest.mark.parametrize("kind", kinds("push"))
def test_push(world: World, kind: str) -> None:
    user = world.person("push-" + kind.lower(), PUSH, push="approve", after=1.0)
    assert "Received Access-Accept" in sign_on(world, kind, user)
    world.outcome(user, "MFA_SUCCESS")


@pytest.mark.parametrize("kind", kinds("passcode"))
def test_passcode(world: World, kind: str) -> None:
    """Whatever the password came by, the answer comes as it was typed."""
    user = world.person("passcode-" + kind.lower(), TOTP)
    first = sign_on(world, kind, user)
    assert "Received Access-Challenge" in first, first
    state = re.findall(r"State = (0x[0-9a-f]+)", first)[-1]
    output = send(world, f'User-Name = "{user}"', f"State = {state}",
                  f'User-Password = "{world.passcode(user)}"')
    assert "Received Access-Accept" in output, output
    world.outcome(user, "MFA_SUCCESS")


@pytest.mark.parametrize("kind", kinds("denied"))
def test_denied(world: World, kind: str) -> None:
    user = world.person("denied-" + kind.lower(), PUSH, push="deny", after=0.5)
    assert "Received Access-Reject" in sign_on(world, kind, user)
    world.outcome(user, "MFA_REJECTED")
    wrong = send(world, f'User-Name = "{user}"', f'{KINDS[kind]} = "wrong"')
    assert "Received Access-Reject" in wrong and len(world.outcomes(user)) == 1


@pytest.mark.parametrize("kind", kinds("okta down"))
def test_okta_down(world: World, kind: str) -> None:
    user = world.person("down-" + kind.lower(), PUSH, push="approve")
    with world.okta_down():
        assert "Received Access-Reject" in sign_on(world, kind, user)
    world.outcome(user, "OKTA_UNAVAILABLE")
