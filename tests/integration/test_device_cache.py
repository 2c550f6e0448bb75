# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl device show, refresh, forget, sync: the real command, against the simulated tenant.
"""What the cache knows of Intune's devices, and filling it for a fleet."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.site import Site
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
CTL = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build")) / "devtrustctl"
YES, NO, FAULT = 0, 1, 2
LIMIT = 120
LARGE_FLEET = 100_000
LARGE_LIMIT = 1800
FLEET = 12


@pytest.fixture(scope="module", name="shared")
def shared_world(tmp_path_factory: pytest.TempPathFactory,
                 pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("cache") / "sim", tenant=pki_index["tenant_id"]) as sim:
        yield sim


@pytest.fixture(name="world")
def fresh_world(shared: Sim) -> Sim:
    shared.reset()
    return shared


@pytest.fixture(name="site")
def fresh_site(tmp_path: Path, world: Sim, pki_index: dict[str, Any]) -> Site:
    return Site(tmp_path / "site", world, pki_index, applications=("vpn",))


def ctl(site: Site, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [str(CTL), "device", *map(str, arguments), "--config", str(site.config_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)


def shown(site: Site, device: str) -> dict[str, Any]:
    answer = ctl(site, "show", "--json", device)
    assert answer.returncode == YES, answer
    return json.loads(answer.stdout)


def fleet(world: Sim, count: int = FLEET) -> list[str]:
    return [world.enrol_device(str(uuid.uuid4()))["id"] for _ in range(count)]


def known(site: Site, devices: list[str]) -> int:
    return sum(ctl(site, "show", device).returncode == YES for device in devices)


def test_show_refresh_forget(site: Site, world: Sim) -> None:
    device, = fleet(world, 1)
    answer = ctl(site, "show", device)
    assert answer.returncode == NO and "not in the cache" in answer.stdout
    answer = ctl(site, "refresh", device)
    assert answer.returncode == YES, answer
    assert "TRUSTED  FRESH" in answer.stdout and "compliant" in answer.stdout
    assert shown(site, device)["user"] == "alice@example.com"
    assert world.count("graph.device") == 1
    # What it is worth follows Intune once it is asked again, and not before.
    world.make_noncompliant(device)
    assert shown(site, device)["trusted"] is True
    answer = ctl(site, "refresh", device, "--json")
    assert json.loads(answer.stdout)["reason"] == "NOT_COMPLIANT"
    assert shown(site, device)["trusted"] is False
    answer = ctl(site, "forget", device)
    assert answer.returncode == YES and "forgotten" in answer.stdout
    assert ctl(site, "forget", device).returncode == NO
    assert ctl(site, "show", device).returncode == NO


def test_refresh_of_a_device_that_is_gone(site: Site, world: Sim) -> None:
    device = str(uuid.uuid4())
    answer = ctl(site, "refresh", device, "--json")
    assert answer.returncode == YES and world.count("graph.device") == 1
    found = json.loads(answer.stdout)
    assert (found["enrolled"], found["reason"], found["trusted"]) == (False, "NOT_ENROLLED", False)


def test_refresh_by_another_devices_record(site: Site, world: Sim) -> None:
    """Graph answers about a device that nobody asked for: nothing is kept."""
    asked, other = fleet(world, 2)
    world.fault("merge", endpoint="device", body={"id": other})
    answer = ctl(site, "refresh", asked)
    assert answer.returncode == FAULT and "another device" in answer.stderr
    assert known(site, [asked, other]) == 0


@pytest.mark.parametrize("arguments", [
    ("show",), ("refresh",), ("forget",), ("show", "x"), ("sync", str(uuid.uuid4())),
    ("sync", "--page-size", "0"), ("sync", "--page-size", "501"), ("sync", "--page-size", "1x"),
    ("sync", "--json", "x"), ("show", "--restart", str(uuid.uuid4())),
    ("forget", "--json", "x"), ("show", "--aliases", str(uuid.uuid4())),
    ("alias",), ("alias", "add"), ("alias", "add", "mac:005056bd8f3e"), ("alias", "remove"),
    ("alias", "list", "mac:005056bd8f3e"), ("alias", "drop", "name:x"),
    ("alias", "remove", "--json"),
])
def test_usage(site: Site, world: Sim, arguments: tuple[str, ...]) -> None:
    answer = ctl(site, *arguments)
    assert answer.returncode == FAULT and "devtrustctl help device" in answer.stderr, answer
    assert world.count("graph.total") == 0


@pytest.mark.parametrize("empty_first", [False, True])
def test_sync_a_fleet(site: Site, world: Sim, empty_first: bool) -> None:
    devices = fleet(world)
    world.make_noncompliant(devices[3])
    world.org(devices_page_size=5, empty_first_page=empty_first)
    answer = ctl(site, "sync", "--page-size", 5)
    assert answer.returncode == YES and answer.stderr == "", answer
    calls = 4 if empty_first else 3
    assert answer.stdout == f"{FLEET} devices stored, {calls} calls\n"
    assert world.count("graph.devices") == calls and world.count("login.token") == 1
    assert known(site, devices) == FLEET
    assert shown(site, devices[0])["trusted"] is True
    assert shown(site, devices[3])["reason"] == "NOT_COMPLIANT"
    # A sign-on finds it there.
    run = subprocess.run(
        [str(CTL), "explain", "--user", "alice", "--application", "vpn", "--device", devices[0],
         "--config", str(site.config_path)], capture_output=True, text=True, timeout=LIMIT,
        check=False)
    assert run.returncode in (YES, NO) and world.count("graph.device") == 0


@pytest.mark.parametrize("odd", ["LT\0", "\ud800", "\udc00LT", "LT\ud83d"])
@pytest.mark.parametrize("member", ["deviceName", "serialNumber", "userPrincipalName"])
def test_sync_leaves_out_a_device_that_cannot_be_read(site: Site, world: Sim, odd: str,
                                                      member: str) -> None:
    """One odd text ends no list: not on its page, and not on those behind."""
    devices = fleet(world)
    world.set_device(devices[2], **{member: odd})
    world.org(devices_page_size=5)
    for _ in range(2):  # the next time as well
        answer = ctl(site, "sync", "--page-size", 5)
        assert answer.returncode == YES, answer
        assert answer.stdout.startswith(f"{FLEET - 1} devices stored"), answer
        assert f"skipped: device {devices[2]}" in answer.stderr, answer
        assert answer.stderr.count("skipped: device") == 1
    assert known(site, devices) == FLEET - 1
    assert ctl(site, "show", devices[2]).returncode == NO
    # Mended, it is kept like any other.
    world.set_device(devices[2], **{member: "LT-4711"})
    assert ctl(site, "sync", "--page-size", 5).stdout.startswith(f"{FLEET} devices stored")


def test_sync_removes_nothing(site: Site, world: Sim) -> None:
    devices = fleet(world, 3)
    assert ctl(site, "sync").returncode == YES
    world.remove_device(devices[0])
    assert ctl(site, "sync").stdout.startswith("2 devices stored")
    assert shown(site, devices[0])["enrolled"] is True, "it goes its own time"


def test_sync_goes_on_where_it_was_interrupted(site: Site, world: Sim) -> None:
    devices = fleet(world)
    world.org(devices_page_size=5)
    fault = world.fault("status", endpoint="devices", status=400, skip=2)
    answer = ctl(site, "sync", "--page-size", 5)
    assert answer.returncode == FAULT, answer
    assert answer.stdout.startswith("10 devices stored; the next sync continues"), answer
    assert known(site, devices) == 10
    world.clear_fault(fault)
    world.reset_requests()
    answer = ctl(site, "sync", "--page-size", 5)
    assert answer.returncode == YES, answer
    assert answer.stdout == (f"{FLEET} devices stored, 1 call, "
                             "continued from where the last one ended\n")
    assert world.count("graph.devices") == 1 and known(site, devices) == FLEET
    # It came to its end: the next one begins anew.
    assert ctl(site, "sync", "--page-size", 5).stdout == f"{FLEET} devices stored, 3 calls\n"


def aliases(site: Site) -> dict[str, dict[str, Any]]:
    answer = ctl(site, "alias", "list", "--json")
    assert answer.returncode == YES, answer
    return {row["name"]: row for row in map(json.loads, answer.stdout.splitlines())}


def test_aliases_by_hand(site: Site, world: Sim) -> None:
    ann, ben = str(uuid.uuid4()), str(uuid.uuid4())
    assert not aliases(site)
    answer = ctl(site, "alias", "add", "mac:00-50-56-BD-8F-3E", ann)
    assert answer.returncode == YES and "mac:005056bd8f3e" in answer.stdout, answer
    assert ctl(site, "alias", "add", "name:LT-4711", ben).returncode == YES
    assert aliases(site) == {
        "mac:005056bd8f3e": {"name": "mac:005056bd8f3e", "state": "ADDED", "deviceId": ann},
        "name:lt-4711": {"name": "name:lt-4711", "state": "ADDED", "deviceId": ben}}
    # A name is of one device: it is taken back before it is given to another.
    answer = ctl(site, "alias", "add", "mac:0050.56bd.8f3e", ben)
    assert answer.returncode == FAULT and f"is already a name of {ann}" in answer.stderr, answer
    assert aliases(site)["mac:005056bd8f3e"]["deviceId"] == ann
    assert ctl(site, "alias", "add", "mac:005056bd8f3e", ann).returncode == YES
    for bad in ("serial:4711", "mac:ffffffffffff", "name:Ann's", "005056bd8f3e", "name:"):
        answer = ctl(site, "alias", "add", bad, ann)
        assert answer.returncode == FAULT and "not a name that a VPN client sends" in answer.stderr
    for bad, why in (("mac:02:00:00:00:00:00", "locally administered"),
                     ("mac:da-a1-19-4c-2f-01", "locally administered"),
                     ("mac:00:05:9a:3c:7a:00", "the same on every computer"),
                     ("name:localhost", "placeholder"), ("uid:0000000000", "placeholder")):
        answer = ctl(site, "alias", "add", bad, ann)
        assert answer.returncode == FAULT, answer
        assert bad + " does not identify a device" in answer.stderr
        assert why in answer.stderr
    assert "is not a device id" in ctl(site, "alias", "add", "name:x", "x").stderr
    assert len(aliases(site)) == 2
    # They are no keys, nor trusted devices.
    assert ctl(site, "list").stdout == ""
    assert ctl(site, "remove", ann).returncode != YES and len(aliases(site)) == 2
    assert ctl(site, "alias", "remove", "name:lt-4711", "name:lt-0").returncode == NO
    assert list(aliases(site)) == ["mac:005056bd8f3e"]
    # One that an earlier version may have filed can be removed, though not added.
    for old in ("mac:02-00-00-00-00-00", "name:LocalHost", "uid:0000000000"):
        answer = ctl(site, "alias", "remove", old)
        assert answer.returncode == NO and "does not identify a device" not in answer.stderr, answer
    assert world.count("graph.total") == 0


def test_sync_files_names(site: Site, world: Sim) -> None:
    cards = ("005056bd8f01", "005056bd8f02", "005056bd8f02", "")
    names = ("LT-1", "LT-2", "LT-3", "Ann's Mac")
    devices = [world.enrol_device(str(uuid.uuid4()), wiFiMacAddress=card, deviceName=name)["id"]
               for card, name in zip(cards, names)]
    assert ctl(site, "sync").returncode == YES and not aliases(site)
    assert ctl(site, "alias", "add", "name:lt-3", devices[0]).returncode == YES
    assert ctl(site, "sync", "--aliases").returncode == YES
    known_names = {name: (row["state"], row["deviceId"]) for name, row in aliases(site).items()}
    assert known_names == {
        "mac:005056bd8f01": ("SYNCED", devices[0]),
        "mac:005056bd8f02": ("AMBIGUOUS", ""),  # of two devices: never the first one
        "name:lt-1": ("SYNCED", devices[0]), "name:lt-2": ("SYNCED", devices[1]),
        "name:lt-3": ("ADDED", devices[0])}  # what the administrator says stays
    # One of the two has left: the next sync finds the name at the other.
    world.remove_device(devices[1])
    assert ctl(site, "sync", "--aliases").returncode == YES
    assert aliases(site)["mac:005056bd8f02"]["deviceId"] == devices[2]
    # And a name that has moved moves.
    world.set_device(devices[0], wiFiMacAddress="005056bd8f09")
    world.set_device(devices[3], wiFiMacAddress="005056bd8f01")
    assert ctl(site, "sync", "--aliases").returncode == YES
    assert aliases(site)["mac:005056bd8f01"]["deviceId"] == devices[3]


def test_names_of_two_pages_of_an_interrupted_sync(site: Site, world: Sim) -> None:
    """The part after the interruption is of the same list: a name in both parts is of several."""
    first = world.enrol_device(str(uuid.uuid4()), wiFiMacAddress="005056bd8f01")["id"]
    fleet(world, 4)
    world.enrol_device(str(uuid.uuid4()), wiFiMacAddress="005056bd8f01")
    world.org(devices_page_size=5)
    fault = world.fault("status", endpoint="devices", status=400, skip=1)
    assert ctl(site, "sync", "--aliases", "--page-size", 5).returncode == FAULT
    world.clear_fault(fault)
    assert aliases(site)["mac:005056bd8f01"]["deviceId"] == first
    answer = ctl(site, "sync", "--aliases", "--page-size", 5)
    assert answer.returncode == YES and "continued" in answer.stdout, answer
    assert aliases(site)["mac:005056bd8f01"]["state"] == "AMBIGUOUS"


def interrupted(site: Site, world: Sim) -> None:
    world.org(devices_page_size=5)
    fault = world.fault("status", endpoint="devices", status=400, skip=1)
    assert ctl(site, "sync", "--page-size", 5).returncode == FAULT
    world.clear_fault(fault)
    world.reset_requests()


def test_sync_from_the_beginning(site: Site, world: Sim) -> None:
    fleet(world)
    interrupted(site, world)
    answer = ctl(site, "sync", "--page-size", 5, "--restart")
    assert answer.stdout == f"{FLEET} devices stored, 3 calls\n"
    # Another list is not gone on with: the page size is part of it.
    interrupted(site, world)
    answer = ctl(site, "sync", "--page-size", 4)
    assert answer.stdout == f"{FLEET} devices stored, 3 calls\n"


def test_sync_when_graph_has_forgotten_the_place(site: Site, world: Sim) -> None:
    fleet(world)
    interrupted(site, world)
    world.fault("status", endpoint="devices", status=400, times=1)
    answer = ctl(site, "sync", "--page-size", 5)
    assert answer.returncode == YES and "from the beginning" in answer.stderr, answer
    assert answer.stdout.startswith(f"{FLEET} devices stored") and "continued" not in answer.stdout


def test_sync_within_the_limits(site: Site, world: Sim) -> None:
    fleet(world)
    world.org(devices_page_size=5)
    world.fault("rate_limit", endpoint="devices", retry_after=1, times=1)
    world.fault("status", endpoint="devices", status=503, times=1)
    answer = ctl(site, "sync", "--page-size", 5)
    assert answer.returncode == YES, answer
    assert "limit is exhausted; continuing in 1 s" in answer.stderr
    assert answer.stdout == f"{FLEET} devices stored, 5 calls\n"


def test_sync_with_a_token_that_is_revoked(site: Site, world: Sim) -> None:
    fleet(world)
    world.fault("status", endpoint="devices", status=401, times=1)
    answer = ctl(site, "sync")
    assert answer.returncode == YES and world.count("login.token") == 2, answer


@pytest.mark.parametrize("link", [
    "https://evil.example.com/v1.0/deviceManagement/managedDevices?$skiptoken=1",
    "http://127.0.0.1/v1.0/deviceManagement/managedDevices", "", 7, ["x"],
    "{graph}/v1.0/users?$skiptoken=1", "{graph}/v1.0/deviceManagement/managedDevices/../x",
    "{graph}@evil.example.com/v1.0/deviceManagement/managedDevices",
])
def test_sync_follows_no_link_elsewhere(site: Site, world: Sim, link: Any) -> None:
    """The token goes with it."""
    devices = fleet(world)
    if isinstance(link, str):
        link = link.replace("{graph}", world.graph_url)
    world.fault("merge", endpoint="devices", body={"@odata.nextLink": link})
    answer = ctl(site, "sync")
    assert answer.returncode == FAULT and "next link" in answer.stderr, answer
    assert world.count("graph.devices") == 1 and known(site, devices[:1]) == 0


@pytest.mark.parametrize("circle", [1, 2, 3])
def test_sync_goes_round_no_circle(site: Site, world: Sim, circle: int) -> None:
    fleet(world, 3)
    for turn in range(12):
        world.fault("merge", endpoint="devices", times=1, body={
            "@odata.nextLink": f"{world.graph_url}/v1.0/deviceManagement/managedDevices"
                               f"?$skiptoken={turn % circle}"})
    answer = ctl(site, "sync")
    assert answer.returncode == FAULT and "leads back to itself" in answer.stderr, answer
    assert world.count("graph.devices") <= 4 * circle
    world.clear_faults()
    answer = ctl(site, "sync")  # from the beginning, not from within the circle
    assert answer.returncode == YES and "continued" not in answer.stdout, answer


@pytest.mark.parametrize("body", [{"value": None}, {"value": {}}, {"value": "x"}])
def test_sync_of_a_list_that_is_none(site: Site, world: Sim, body: Any) -> None:
    fleet(world, 1)
    world.fault("merge", endpoint="devices", body=body)
    answer = ctl(site, "sync")
    assert answer.returncode == FAULT and "no list of devices" in answer.stderr, answer


def test_sync_leaves_out_what_makes_no_sense(site: Site, world: Sim) -> None:
    good = {"id": str(uuid.uuid4()), "complianceState": "compliant", "managementState": "managed"}
    bad = [{}, None, "x", {**good, "id": "1"},
           {**good, "id": str(uuid.uuid4()), "complianceState": 1}]
    world.fault("json", endpoint="devices", body={"value": [*bad, good]})
    answer = ctl(site, "sync")
    assert answer.returncode == YES, answer
    assert answer.stdout.startswith("1 device stored, 1 call\n"), answer
    assert "5 malformed entries" in answer.stdout
    assert json.loads(ctl(site, "sync", "--json").stdout) == {
        "whole": True, "devices": 1, "calls": 1, "resumed": False, "malformed": 5}
    assert shown(site, good["id"])["trusted"] is True


@pytest.mark.parametrize("kind,values", [("html", {}), ("not_json", {}), ("truncate", {}),
                                         ("huge", {"size": 1 << 20})])
def test_sync_of_a_broken_service(site: Site, world: Sim, kind: str,
                                  values: dict[str, Any]) -> None:
    device, = fleet(world, 1)
    world.fault(kind, endpoint="devices", **values)
    site.configure({"intune": {"timeout": "1s"}})
    answer = ctl(site, "sync")
    assert answer.returncode == FAULT and answer.stderr != "", answer
    assert ctl(site, "show", device).returncode == NO


def test_sync_without_intune(site: Site) -> None:
    site.configure({"intune": {k: None for k in ("tenant_id", "client_id", "certificate_file",
                                                 "key_file")},
                    "device_trust": {"trusted_when": "certificate",
                                     "tenant_id": str(uuid.uuid4())}})
    answer = ctl(site, "sync")
    assert answer.returncode == FAULT and "[intune] is not configured" in answer.stderr, answer


def test_progress_on_a_terminal(site: Site, world: Sim) -> None:
    fleet(world)
    world.org(devices_page_size=5)
    master, slave = pty.openpty()
    with subprocess.Popen([str(CTL), "device", "sync", "--page-size", "5", "--config",
                           str(site.config_path)], stdout=subprocess.PIPE, stderr=slave) as run:
        os.close(slave)
        assert run.wait(LIMIT) == YES
        drawn = os.read(master, 65536).decode()
    os.close(master)
    assert [part.strip() for part in drawn.split("\r") if part.strip()] == [
        "5 devices", "10 devices", f"{FLEET} devices"]


@pytest.mark.skipif("DEVTRUST_SLOW" not in os.environ, reason="takes minutes; DEVTRUST_SLOW=1")
def test_sync_a_large_fleet(site: Site, world: Sim) -> None:
    assert world.enrol_fleet(LARGE_FLEET) == LARGE_FLEET
    world.org(devices_page_size=1000)
    command = [str(CTL), "device", "sync", "--aliases", "--config", str(site.config_path)]
    for name in ("first", "again"):
        before, started = world.count("graph.total"), time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as run:
            out, err = run.communicate(timeout=LARGE_LIMIT)
            took = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        calls = world.count("graph.total") - before
        assert run.returncode == YES, err
        assert out == f"{LARGE_FLEET} devices stored, {LARGE_FLEET // 500} calls\n"
        assert calls == LARGE_FLEET // 500
        size = sum(f.stat().st_size for f in site.store_path.parent.iterdir()) // 2**20
        print(f"{name}: {took:.0f} s, {peak} MB, {calls * 1000 / LARGE_FLEET:g} calls per 1,000, "
              f"store {size} MB, {err.count('devices so far')} lines of progress")
        assert "devices so far" in err or took < 15
    assert shown(site, str(uuid.UUID(int=LARGE_FLEET)))["trusted"] is True
    assert len(aliases(site)) == 2 * LARGE_FLEET
