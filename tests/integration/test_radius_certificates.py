# SPDX-License-Identifier: GPL-2.0-or-later
# The forms in which certificates name their device, on a real FreeRADIUS with a real supplicant:
# each is looked up at Intune as the kind of id that it is, and as no other.
"""FreeRADIUS with rlm_devtrust: EAP-TLS with the names that SCEP profiles write."""

from __future__ import annotations

import uuid
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib.radius import World
from tests.lib.site import TRUSTED_RULE, catch_all, guide_policy, rule


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    joined = {"certificate_file": pki_index["authorities"]["joined_ca"],
              "device_id": "san-uri, entra-common-name"}
    directory = tmp_path_factory.mktemp("certificates")
    settings = {"ca joined": joined, "device_trust": {"cache_ttl": "0", "negative_ttl": "0"}}
    policies = [guide_policy("vpn"), {"name": "wifi", "application": "wifi",
                                      "rules": [rule(TRUSTED_RULE, 1, "TRUSTED"), catch_all()]}]
    with rad.start_world(directory, pki_index, settings=settings, policies=policies) as made:
        yield made
        assert made.radius.stop() == 0, made.radius.log_text()


def sign_on(world: World, name: str, cause: str, success: bool) -> dict[str, Any]:
    """One EAP-TLS sign-on of somebody new; the debug data of its event, with the
    device that it names."""
    user = world.person(f"{name}-{uuid.uuid4().hex[:8]}")
    end = rad.eap_tls(world.radius, user, world.pki["devices"][name])
    assert end.success is success, end.output[-3000:]
    debug = world.outcome(user, cause)
    targets = world.outcomes(user, cause)[0]["target"] or []
    return {**debug, "devices": [t["id"] for t in targets if t["type"] == "Device"]}


@pytest.mark.parametrize("name", ["ise-intune", "ise-endpoint-manager"])
def test_cisco_uri_is_intunes_id(world: World, name: str) -> None:
    device = world.pki["devices"][name]["device_id"]
    other = world.sim.enrol_device(str(uuid.uuid4()), azureADDeviceId=device)["id"]
    event = sign_on(world, name, "RULE_DENY", False)
    assert event["deviceReason"] == "NOT_ENROLLED", "that device has it for Entra's id"
    world.sim.remove_device(other)
    world.sim.enrol_device(device)
    event = sign_on(world, name, "RULE_ALLOW", True)
    assert event["verdict"] == "TRUSTED" and event["evidence"] == "certificate+intune"
    assert event["devices"] == [device]


@pytest.mark.parametrize("name", ["joined-cn", "joined-host"])
def test_common_name_is_entras_id(world: World, name: str) -> None:
    entra = world.pki["devices"][name]["guid"]
    world.sim.enrol_device(entra, azureADDeviceId=str(uuid.uuid4()))
    event = sign_on(world, name, "RULE_DENY", False)
    assert event["deviceReason"] == "NOT_ENROLLED", "that device has it for Intune's id"
    device = world.sim.enrol_device(str(uuid.uuid4()), azureADDeviceId=entra,
                                    compliance="noncompliant")["id"]
    assert sign_on(world, name, "RULE_DENY", False)["deviceReason"] == "NOT_COMPLIANT"
    world.sim.make_compliant(device)
    event = sign_on(world, name, "RULE_ALLOW", True)
    assert event["verdict"] == "TRUSTED" and event["devices"] == [device]


@pytest.mark.parametrize("name,detail", [
    ("ise-other-mdm", "another MDM"), ("ise-braces", "not followed by a device id alone"),
    ("ise-trailing", "not followed by a device id alone"), ("ise-lower-case", "these letters"),
    ("ise-against-san", "names two devices"), ("san-nul", "contains a NUL"),
    ("joined-other-service", "only common name has to be Entra's device id"),
    ("joined-realm", "only common name has to be Entra's device id")])
def test_what_only_looks_like_a_name_is_refused(world: World, name: str, detail: str) -> None:
    graph = world.sim.count("graph.total")
    event = sign_on(world, name, "RULE_DENY", False)
    assert event["verdict"] == "NOT_TRUSTED" and event["deviceReason"] == "CERTIFICATE_INVALID"
    assert detail in event["detail"]
    assert world.sim.count("graph.total") == graph, "nothing is looked up for such a certificate"


def test_without_the_section_nobody_trusts_that_ca(world: World, pki_index: dict[str, Any]) -> None:
    kept = world.site.settings.pop("ca joined")
    try:
        world.site.configure({})
        world.site.wait_reload("SUCCESS")
        event = sign_on(world, "joined-host", "RULE_DENY", False)
    finally:
        world.site.configure({"ca joined": kept})
    assert event["deviceReason"] == "UNTRUSTED_ISSUER"
