# SPDX-License-Identifier: GPL-2.0-or-later
# Zones of places and providers, asked of databases in MaxMind's format: what they say, what they do
# not know, and what is wrong with them. And zones that nobody gets in from.
"""DYNAMIC and BLOCKLIST zones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.integration.test_ctl import FAULT, NO, YES, Answer, run
from tests.lib import mmdb
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.site import Site
from tests.sim.client import Sim

CITY, COUNTRY, ASN = "GeoLite2-City", "GeoLite2-Country", "GeoLite2-ASN"


def place(country: str, region: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"country": {"iso_code": country, "names": {"en": country}}}
    if region:
        found["subdivisions"] = [{"iso_code": region}]
    return found


# Addresses for documentation (RFC 5737, RFC 3849) are on the Internet as far as a database goes.
PLACES = {"192.0.2.0/25": place("DE", "BE"), "192.0.2.128/25": place("DE"),
          "198.51.100.0/24": place("US", "CA"), "203.0.113.0/25": place("US", "NY"),
          "203.0.113.192/26": {"continent": {"code": "EU"}}, "2001:db8:1::/48": place("US", "CA")}
PROVIDERS = {"192.0.2.0/24": {"autonomous_system_number": 64500},
             "198.51.100.0/24": {"autonomous_system_number": 4200000000},
             "203.0.113.0/24": {"autonomous_system_number": 0}}


def zone(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "DYNAMIC", "status": "ACTIVE", **members}


def whitelist(name: str) -> dict[str, Any]:
    """Only from the zone, and everybody else not."""
    return {"name": "vpn", "application": "vpn", "rules": [
        {**sites.rule("There", 1), "conditions": {
            "network": {"connection": "ZONE", "include": [name]}}},
        sites.catch_all()]}


@pytest.fixture(name="sim", scope="module")
def _sim(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("geo") / "sim", tenant=pki_index["tenant_id"]) as sim:
        yield sim


class Geo:
    """An installation with databases, and what it says of addresses."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.location = site.directory / "location.mmdb"
        self.asn = site.directory / "asn.mmdb"
        self.zones = site.directory / "zones.json"
        mmdb.write(self.location, CITY, PLACES)
        mmdb.write(self.asn, ASN, PROVIDERS)
        site.configure({"policy": {"zones_file": self.zones, "location_database": self.location,
                                   "asn_database": self.asn}})

    def set(self, *zones: dict[str, Any], policy: Optional[dict[str, Any]] = None) -> None:
        self.zones.write_text(json.dumps({"zones": zones}))
        self.site.set_policy(policy or whitelist(zones[0]["name"]))

    def check(self) -> Answer:
        return run("check-config", "-c", self.site.config_path)

    def explain(self, ip: str) -> Any:
        answer = run("explain", "-c", self.site.config_path, "--user", "ann",
                     "--application", "vpn", "--device-trust", "NOT_TRUSTED",
                     "--reason", "NO_CERTIFICATE", "--json", *(["--ip", ip] if ip else []))
        assert answer.code in (YES, NO), answer
        return json.loads(answer.out)

    def cause(self, ip: str) -> str:
        said = self.explain(ip)["decision"]
        return str(said["access"]) if said["cause"] == "RULE" else str(said["cause"])


@pytest.fixture(name="geo")
def _geo(tmp_path: Path, sim: Sim, pki_index: dict[str, Any]) -> Geo:
    return Geo(Site(tmp_path / "site", sim, pki_index, applications=("vpn",)))


IN, OUT, UNKNOWN = "ALLOW", "DENY", "NETWORK_UNKNOWN"
GERMANY = {"locations": [{"country": "DE"}]}
BERLIN = {"locations": [{"country": "DE", "region": "DE-BE"}]}
CALIFORNIA = {"locations": [{"country": "US", "region": "CA"}]}


@pytest.mark.parametrize("members, ip, expected", [
    (GERMANY, "192.0.2.1", IN), (GERMANY, "192.0.2.200", IN), (GERMANY, "198.51.100.1", OUT),
    # Of a country nobody knows anything about the answer is not "elsewhere".
    (GERMANY, "203.0.113.200", UNKNOWN), (GERMANY, "203.0.113.130", UNKNOWN),
    (GERMANY, "2001:db8:1::5", OUT), (GERMANY, "2001:db8:2::5", UNKNOWN),
    # No place on the Internet: in no country.
    (GERMANY, "10.1.2.3", OUT), (GERMANY, "192.168.0.1", OUT), (GERMANY, "100.64.1.1", OUT),
    (GERMANY, "fe80::1", OUT), (GERMANY, "fd00::1", OUT), (GERMANY, "::1", OUT),
    (BERLIN, "192.0.2.1", IN), (BERLIN, "192.0.2.200", UNKNOWN), (BERLIN, "198.51.100.1", OUT),
    (CALIFORNIA, "198.51.100.1", IN), (CALIFORNIA, "203.0.113.1", OUT),
    (CALIFORNIA, "2001:db8:1::5", IN), (CALIFORNIA, "::ffff:198.51.100.1", IN),
    ({"asns": [64500]}, "192.0.2.1", IN), ({"asns": ["64500"]}, "192.0.2.1", IN),
    ({"asns": [64501]}, "192.0.2.1", OUT), ({"asns": [4200000000]}, "198.51.100.1", IN),
    # AS 0 is nobody's (RFC 7607).
    ({"asns": [64500]}, "203.0.113.1", UNKNOWN), ({"asns": [64500]}, "10.0.0.1", OUT),
    ({**GERMANY, "asns": [64500]}, "192.0.2.1", IN),
    ({**CALIFORNIA, "asns": [64500]}, "198.51.100.1", OUT),
    ({**GERMANY, "asns": [64500]}, "203.0.113.200", UNKNOWN),
    ({**GERMANY, "asns": [64500]}, "203.0.113.1", OUT),
])
def test_what_a_zone_holds(geo: Geo, members: dict[str, Any], ip: str, expected: str) -> None:
    """The rule lets in from the zone alone; the catch-all denies."""
    geo.set(zone("There", **members))
    # A rule that would only let in is passed over where nobody can say; the cause is told.
    assert geo.cause(ip) == expected


@pytest.mark.parametrize("ip, expected", [
    ("198.51.100.1", IN), ("192.0.2.1", "BLOCKED_ZONE"), ("203.0.113.200", UNKNOWN),
    ("192.0.2.200", "BLOCKED_ZONE"), ("10.0.0.1", IN), ("203.0.113.7", "BLOCKED_ZONE")])
def test_blocklists_deny_before_any_rule(geo: Geo, ip: str, expected: str) -> None:
    everybody = {"name": "vpn", "application": "vpn", "rules": [
        {**sites.catch_all(), "name": "All", "actions": {"appSignOn": {"access": "ALLOW"}}}]}
    geo.set(zone("Not there", usage="BLOCKLIST", **GERMANY),
            {"name": "Nor there", "type": "IP", "status": "ACTIVE", "usage": "BLOCKLIST",
             "gateways": ["203.0.113.7"]},
            zone("Long ago", usage="BLOCKLIST", locations=[{"country": "US"}]) | {
                "status": "INACTIVE"}, policy=everybody)
    assert geo.cause(ip) == expected


def test_a_blocklist_cannot_be_named_by_a_rule(geo: Geo) -> None:
    geo.set(zone("Not there", usage="BLOCKLIST", **GERMANY))
    answer = geo.check()
    assert answer.code == FAULT and "is a BLOCKLIST" in answer.err, answer


# --- databases that are not what they should be ---------------------------------------------------

def broken(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


FAULTS = {
    "missing": (lambda g: g.location.unlink(), "does not exist"),
    "not a database": (lambda g: broken(g.location), "not a MaxMind database"),
    "cut": (lambda g: cut(g.location), "not a MaxMind database"),
    "empty": (lambda g: g.location.write_bytes(b""), "not a MaxMind database"),
    "another type": (lambda g: mmdb.write(g.location, ASN, PROVIDERS), "another type"),
    "networks' numbers of places": (lambda g: mmdb.write(g.asn, CITY, PLACES), "another type"),
    "writable by all": (lambda g: g.location.chmod(0o666), "can be written by others"),
    "no regions": (lambda g: mmdb.write(g.location, COUNTRY, PLACES), "city database"),
    "none configured": (lambda g: g.site.configure({"policy": {"location_database": None}}),
                        "location_database"),
    "none of networks": (lambda g: g.site.configure({"policy": {"asn_database": None}}),
                         "asn_database"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_database_is_refused(geo: Geo, fault: str) -> None:
    geo.set(zone("There", **BERLIN, asns=[64500]))
    assert geo.check().code == YES
    change, said = FAULTS[fault]
    change(geo)
    answer = geo.check()
    assert answer.code != YES and said in answer.err + answer.out, answer


@pytest.mark.parametrize("entry", [
    {"country": {"iso_code": "de"}}, {"country": {"iso_code": "DEU"}},
    {"country": {"iso_code": 49}}, {"country": "DE"}, {"country": []},
    {"registered_country": {"iso_code": "DE"}}, {}])
def test_an_entry_of_another_form_is_not_known(geo: Geo, entry: dict[str, Any]) -> None:
    mmdb.write(geo.location, CITY, {"192.0.2.0/24": entry})
    geo.set(zone("There", **GERMANY))
    assert geo.cause("192.0.2.1") == UNKNOWN


def test_a_database_of_ipv4_alone_does_not_know_ipv6(geo: Geo) -> None:
    mmdb.write(geo.location, CITY, {"192.0.2.0/24": place("DE")}, version=4)
    geo.set(zone("There", **GERMANY))
    assert geo.cause("192.0.2.1") == IN and geo.cause("2001:db8:1::5") == UNKNOWN


def test_zones_without_places_need_no_database(geo: Geo) -> None:
    geo.site.configure({"policy": {"location_database": None, "asn_database": None}})
    geo.set({"name": "Office", "type": "IP", "status": "ACTIVE", "gateways": ["192.0.2.0/24"]})
    assert geo.check().code == YES and geo.cause("192.0.2.1") == IN


# --- a running server -----------------------------------------------------------------------------

def test_radius_takes_a_new_database(pki_index: dict[str, Any], tmp_path: Path) -> None:
    """By whoever updates it: put in place atomically, while people sign on."""
    made: list[Geo] = []

    def prepare(site: Site) -> None:
        made.append(Geo(site))
        made[0].set(zone("There", **GERMANY))

    with rad.start_world(tmp_path, pki_index, prepare=prepare) as world:
        geo, user = made[0], world.person("greta", "push")

        def login(ip: str) -> int:
            return world.client(**{"Calling-Station-Id": ip}).login(user).code

        assert login("192.0.2.9") == rad.ACCEPT and login("198.51.100.9") == rad.REJECT
        mmdb.write(geo.location, CITY, {**PLACES, "192.0.2.0/25": place("FR")})
        world.site.wait_reload("SUCCESS")
        assert login("192.0.2.9") == rad.REJECT and login("192.0.2.200") == rad.ACCEPT
        new = geo.location.with_name("new")
        new.write_bytes(b"nothing")
        new.replace(geo.location)
        world.site.wait_reload("FAILURE")
        assert login("192.0.2.9") == rad.REJECT and login("192.0.2.200") == rad.ACCEPT
        assert world.radius.is_running(), world.radius.log_text()
