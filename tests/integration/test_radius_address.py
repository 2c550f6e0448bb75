# SPDX-License-Identifier: GPL-2.0-or-later
# Which attribute of a RADIUS request tells where the person comes from, on a real FreeRADIUS: the
# first of several that is there, and never another when that one cannot be read.
"""rlm_devtrust's client_ip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import ACCEPT, REJECT, World
from tests.sim.client import Sim

SAMPLE = "client_ip = &Calling-Station-Id\n"
IN_ORDER = ('client_ip = "&Tunnel-Client-Endpoint, &Calling-Station-Id, &Framed-IP-Address"\n')
TUNNEL = "\tstation = &outer.request:Calling-Station-Id\n"
ENDPOINT, STATION, FRAMED = "Tunnel-Client-Endpoint", "Calling-Station-Id", "Framed-IP-Address"
ZONES = {"zones": [
    {"name": "office", "type": "IP", "status": "ACTIVE",
     "gateways": ["192.0.2.0/24", "2001:db8:7::/48"]},
    {"name": "bad", "type": "IP", "status": "ACTIVE", "usage": "BLOCKLIST",
     "gateways": ["203.0.113.0/24"]}]}


def policy(application: str) -> dict[str, Any]:
    """In the office; who is said not to be there is told so by the rule."""
    office = sites.rule("Office", 1, network={"connection": "ZONE", "include": ["office"]})
    elsewhere = sites.rule("Elsewhere", 2, access="DENY",
                           network={"connection": "ZONE", "exclude": ["office"]})
    return {"name": application, "application": application,
            "rules": [office, elsewhere, sites.catch_all()]}


def with_zones(site: sites.Site) -> None:
    path = site.directory / "zones.json"
    path.write_text(json.dumps(ZONES))
    site.configure({"policy": {"zones_file": path}})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory,
          pki_index: dict[str, Any]) -> Iterator[World]:
    replace = {SAMPLE: IN_ORDER, TUNNEL: TUNNEL + "\tclient_ip = &Calling-Station-Id\n",
               "copy_request_to_tunnel = yes": "copy_request_to_tunnel = no"}
    with rad.start_world(tmp_path_factory.mktemp("address"), pki_index, replace=replace,
                         policies=[policy("vpn"), policy("wifi")], prepare=with_zones) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()
        assert made.radius.stop() == 0, made.radius.log_text()


IN, OUT, UNKNOWN, BLOCKED = "RULE_ALLOW", "RULE_DENY", "NETWORK_UNKNOWN", "BLOCKED_ZONE"


@pytest.mark.parametrize("attributes,cause", [
    ({STATION: "192.0.2.7"}, IN),
    ({STATION: "198.51.100.7"}, OUT),
    ({STATION: "::ffff:192.0.2.7"}, IN),
    ({STATION: "2001:db8:7::1"}, IN),
    ({STATION: "2001:db8:8::1"}, OUT),
    ({STATION: "203.0.113.7"}, BLOCKED),
    # Whatever a gateway puts behind or around it.
    ({STATION: "192.0.2.7:51234"}, IN),
    ({STATION: "192.0.2.7[4500]"}, IN),
    ({STATION: "[2001:db8:7::1]:4500"}, IN),
    ({STATION: "2001:db8:7::1[4500]"}, IN),
    ({STATION: "198.51.100.7[4500]"}, OUT),
    ({STATION: "203.0.113.7[4500]"}, BLOCKED),
    ({STATION: "192.0.2.7[4500"}, UNKNOWN),
    ({STATION: "192.0.2.7:1[4500]"}, UNKNOWN),
    # The first that is there decides.
    ({ENDPOINT: "192.0.2.7", STATION: "198.51.100.7", FRAMED: "198.51.100.8"}, IN),
    ({ENDPOINT: "198.51.100.7", STATION: "192.0.2.7", FRAMED: "192.0.2.8"}, OUT),
    ({STATION: "198.51.100.7", FRAMED: "192.0.2.8"}, OUT),
    ({FRAMED: "192.0.2.8"}, IN),
    ({FRAMED: "198.51.100.8"}, OUT),
    # Also when nobody can read it.
    ({ENDPOINT: "host.example", STATION: "192.0.2.7", FRAMED: "192.0.2.8"}, UNKNOWN),
    ({STATION: "0049301234567", FRAMED: "192.0.2.8"}, UNKNOWN),
    ({STATION: "192.0.2.7/32"}, UNKNOWN),
    ({STATION: "0.0.0.0", FRAMED: "192.0.2.8"}, UNKNOWN),
    ({FRAMED: "255.255.255.254"}, UNKNOWN),
    ({FRAMED: "255.255.255.255"}, UNKNOWN),
    ({STATION: b"192.0.2.7\0.example"}, "NUL"),
    ({ENDPOINT: b"192.0.2.7\0.example", STATION: "192.0.2.7"}, UNKNOWN),
    ({ENDPOINT: "1" * 200, STATION: "192.0.2.7"}, UNKNOWN),
    # Of several, none is the one.
    ({ENDPOINT: ["192.0.2.7", "198.51.100.7"]}, UNKNOWN),
    ({STATION: ["192.0.2.7", "198.51.100.7"]}, UNKNOWN),
    ({STATION: ["192.0.2.7", "192.0.2.7"]}, IN),
    # A MAC address says nothing of it.
    ({STATION: "02-00-00-00-00-07", FRAMED: "192.0.2.8"}, IN),
    ({STATION: "02-00-00-00-00-07", FRAMED: "198.51.100.8"}, OUT),
    ({STATION: "02-00-00-00-00-07"}, UNKNOWN),
    ({STATION: "0200.0000.0007", FRAMED: "192.0.2.8"}, IN),
    ({STATION: "020000-000007", FRAMED: "192.0.2.8"}, IN),
    ({STATION: "0200000000AF", FRAMED: "192.0.2.8"}, IN),
    ({}, UNKNOWN),
])
def test_what_counts(world: World, attributes: dict[str, Any], cause: str) -> None:
    user = world.person("addr-" + format(abs(hash(json.dumps(attributes, default=repr))), "x"))
    given = {STATION: [], **attributes}
    packed = {k: _values(k, v) for k, v in given.items()}
    reply = world.client(**packed).login(user)
    assert reply.code == (ACCEPT if cause == IN else REJECT), str(reply)
    if cause == "NUL":
        assert "contains a NUL" in world.outcome(user, "INTERNAL")["detail"]
        return
    seen = world.outcome(user, cause)
    if cause == UNKNOWN:
        assert "client_ip" in seen["detail"]
        assert seen["rule"] in ("", None)


def _values(name: str, value: Any) -> list[bytes]:
    values = value if isinstance(value, list) else [value]
    if name == FRAMED:
        return [bytes(int(x) for x in v.split(".")) for v in values]
    return [v if isinstance(v, bytes) else v.encode() for v in values]


@pytest.mark.parametrize("where,cause", [("192.0.2.7", IN), ("198.51.100.7", OUT),
                                         ("02-00-00-00-00-07", UNKNOWN)])
def test_inside_a_tunnel_it_is_told_outside(world: World, where: str, cause: str) -> None:
    user = world.person("ttls-" + cause.lower().replace("_", "-"))
    end = rad.eap_ttls(world.radius, user, rad.PASSWORD, station=where)
    assert end.success == (cause == IN), end.output[-3000:]
    world.outcome(user, cause)


# --- what is wrong with the configuration --------------------------------------------------------

@pytest.mark.parametrize("value,why", [
    ('"&Calling-Station-Id, &Not-An-Attribute"', '"&Not-An-Attribute": '),
    ('"&Calling-Station-Id, Framed-IP-Address"', 'must begin with "&"'),
    ('"&Calling-Station-Id,"', 'must begin with "&"'),
    ('"&outer.request:Calling-Station-Id"', "remove"),
    ('"&NAS-Port"', "neither text nor an address"),
    ('"&Framed-IPv6-Prefix"', "neither text nor an address"),
    ('"' + ", ".join(["&Calling-Station-Id"] * 9) + '"', "more than 8"),
])
def test_refused_at_the_start(tmp_path: Path, pki_index: dict[str, Any], value: str,
                              why: str) -> None:
    with Sim.start(tmp_path / "sim") as sim:
        site = sites.Site(tmp_path / "site", sim, pki_index)
        server = rad.Radius(tmp_path / "raddb", site,
                            replace={SAMPLE: f"client_ip = {value}\n"})
        checked = server.check()
    assert checked.returncode != 0
    # Not the line in which the server shows what it has read.
    lines = [x for x in checked.stdout.splitlines() if "client_ip:" in x]
    assert len(lines) == 1 and why in lines[0], checked.stdout[-2000:]
