# SPDX-License-Identifier: GPL-2.0-or-later
# The simulation itself: every endpoint, every fault, and the shape of every answer.
#
# All other tests believe the simulation; these are why they may. With DEVTRUST_SPECS set to the
# folder of the OpenAPI subsets, each answer that passes through here is held against them.
"""Tests of tests/sim."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import os
import signal
import ssl
import stat
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, Iterator, Optional
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pki.authority import make_key
from tests.sim import totp
from tests.sim.client import Sim, SimFailed
from tests.sim.openapi import Spec

ALICE = "alice@example.com"
BOB = "bob@example.com"
USER = "/api/v1/users/{id}"
FACTORS = "/api/v1/users/{userId}/factors"
USER_DEVICES = "/api/v1/users/{userId}/devices"
OKTA_DEVICE = "/api/v1/devices/{deviceId}"
DEVICE_USERS = "/api/v1/devices/{deviceId}/users"
VERIFY = FACTORS + "/{factorId}/verify"
TRANSACTION = FACTORS + "/{factorId}/transactions/{transactionId}"
DEVICES = "/deviceManagement/managedDevices"
DEVICE = DEVICES + "/{managedDevice-id}"
TOKEN = "/{tenant}/oauth2/v2.0/token"
POLICIES = "/api/v1/policies"
POLICY = POLICIES + "/{policyId}"
ZONES = "/api/v1/zones"

SPECS = os.environ.get("DEVTRUST_SPECS", "")


@pytest.fixture(scope="module")
def specs() -> dict[str, Spec]:
    if not SPECS:
        return {}
    folder = Path(SPECS)
    return {"okta": Spec(folder / "okta-subset.yaml"), "graph": Spec(folder / "graph-subset.yaml"),
            "oauth": Spec(folder / "okta-oauth-subset.yaml")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("sim")) as sim:
        yield sim


@pytest.fixture
def sim(running: Sim) -> Sim:
    running.reset()
    return running


class Reply:
    """One answer: status, headers (lower case, all values), body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.raw = response.read()
        self.headers: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            self.headers.setdefault(name.lower(), []).append(value)

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Caller:
    """Calls the simulated services and holds their answers against the descriptions."""

    def __init__(self, sim: Sim, specs: dict[str, Spec]) -> None:
        self.sim, self.specs = sim, specs
        self.context = ssl.create_default_context(cafile=sim.ca_file)
        self.okta_token = Path(sim.okta_token_file).read_text().strip()
        self.bearer = ""

    def send(self, url: str, method: str = "GET", body: Optional[bytes] = None,
             headers: Optional[dict[str, str]] = None, timeout: float = 30.0) -> Reply:
        address = urlsplit(url)
        connection = http.client.HTTPSConnection(str(address.hostname), address.port,
                                                 context=self.context, timeout=timeout)
        try:
            path = address.path + ("?" + address.query if address.query else "")
            connection.request(method, path, body, headers or {})
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def okta(self, path: str, method: str = "GET", body: Any = None, *, shape: str = "",
             **headers: str) -> Reply:
        """A call with the org's token; `shape` is the path as the description spells it."""
        sent = {"Authorization": "SSWS " + self.okta_token, "User-Agent": "devtrust-test/1",
                "Accept": "application/json"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        raw = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        url = path if path.startswith("https:") else self.sim.okta_url + path
        reply = self.send(url, method, raw, {n: v for n, v in sent.items() if v})
        assert reply.headers["x-okta-request-id"]
        for name in ("limit", "remaining", "reset"):
            assert int(reply.headers["x-rate-limit-" + name][0]) >= 0
        if shape and self.specs:
            self._hold("okta", shape, method, reply, "Error")
        return reply

    def graph(self, path: str, *, shape: str = "", bearer: Optional[str] = None) -> Reply:
        url = path if path.startswith("https:") else self.sim.graph_url + "/v1.0" + path
        token = self.bearer if bearer is None else bearer
        reply = self.send(url, headers={"Authorization": "Bearer " + token})
        if shape and self.specs:
            self._hold("graph", shape, "GET", reply, "")
        return reply

    def _hold(self, which: str, shape: str, method: str, reply: Reply, error: str) -> None:
        spec = self.specs[which]
        if spec.schema(shape, method, reply.status) is None:
            # A status that the description leaves out still has the service's error shape.
            assert reply.status >= 400 and error
            assert not spec.check({"$ref": "#/components/schemas/" + error}, reply.json)
            return
        body = reply.json
        if shape == VERIFY and reply.status == 200:
            # The description wants an object for every member of profile, against its own example.
            body.pop("profile", None)
        if shape == POLICY + "/rules" and reply.status == 200:
            # Of a rule for everybody its own example has null where the description has an object.
            body = [{k: v for k, v in r.items() if k != "conditions" or v is not None}
                    for r in body]
        assert spec.errors(shape, method, reply.status, body) == []

    # --- Entra -------------------------------------------------------------------------------

    def claims(self, **changes: Any) -> dict[str, Any]:
        present = int(time.time())
        made = {"aud": f"{self.sim.login_url}/{self.sim.tenant_id}/oauth2/v2.0/token",
                "iss": self.sim.client_id, "sub": self.sim.client_id, "jti": str(uuid.uuid4()),
                "nbf": present, "iat": present, "exp": present + 300, **changes}
        return {name: value for name, value in made.items() if value is not None}

    def assertion(self, claims: dict[str, Any], algorithm: str = "PS256", key: Any = None,
                  **header: Any) -> str:
        certificate = x509.load_pem_x509_certificate(Path(self.sim.certificate_file).read_bytes())
        der = certificate.public_bytes(Encoding.DER)
        name, digest = {"PS256": ("x5t#S256", hashlib.sha256),
                        "RS256": ("x5t", hashlib.sha1)}[algorithm]
        value = base64.urlsafe_b64encode(digest(der).digest()).rstrip(b"=").decode()
        return jwt.encode(claims, key or Path(self.sim.key_file).read_bytes(), algorithm,
                          headers={name: value, **header})

    def token(self, assertion: str, tenant: str = "", **changes: Any) -> Reply:
        form = {"client_id": self.sim.client_id, "grant_type": "client_credentials",
                "scope": "https://graph.microsoft.com/.default",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion, **changes}
        body = urlencode({n: v for n, v in form.items() if v is not None}).encode()
        reply = self.send(
            f"{self.sim.login_url}/{tenant or self.sim.tenant_id}/oauth2/v2.0/token", "POST", body,
            {"Content-Type": "application/x-www-form-urlencoded"})
        if self.specs:
            self._hold("graph", TOKEN, "POST", reply, "")
        return reply

    def log_in(self) -> str:
        self.bearer = self.token(self.assertion(self.claims())).json["access_token"]
        return self.bearer


@pytest.fixture
def call(sim: Sim, specs: dict[str, Spec]) -> Caller:
    return Caller(sim, specs)


class Person:
    """A person with a push factor and a passcode factor."""

    def __init__(self, sim: Sim, call: Caller, login: str = ALICE, **more: Any) -> None:
        self.call = call
        made = sim.add_user(login, factors=("push", "token:software:totp"), **more)
        self.id, (self.push, self.totp) = made["id"], made["factors"]

    def path(self, factor: dict[str, Any]) -> str:
        return f"/api/v1/users/{self.id}/factors/{factor['id']}"

    def send_push(self, body: Any = b"", **headers: str) -> Reply:
        return self.call.okta(self.path(self.push) + "/verify", "POST", body, shape=VERIFY,
                              **headers)

    def send_code(self, code: Any) -> Reply:
        return self.call.okta(self.path(self.totp) + "/verify", "POST", {"passCode": code},
                              shape=VERIFY)

    def poll(self, reply: Reply) -> Reply:
        return self.call.okta(reply.json["_links"]["poll"]["href"], shape=TRANSACTION)


@pytest.fixture
def alice(sim: Sim, call: Caller) -> Person:
    return Person(sim, call)


def refused(reply: Reply, status: int, code: str) -> None:
    assert reply.status == status
    assert reply.json["errorCode"] == reply.json["errorLink"] == code
    assert reply.json["errorId"].startswith("oae") and reply.json["errorSummary"]
    assert isinstance(reply.json["errorCauses"], list)


# --- the process ---------------------------------------------------------------------------------


def test_files_it_leaves_are_private_where_they_must_be(sim: Sim) -> None:
    for name in (sim.okta_token_file, sim.key_file):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
    assert sim.okta_url != sim.login_url != sim.graph_url
    assert json.loads((sim.directory / "sim.json").read_text())["pid"] == sim.pid


def test_it_ends_on_sigterm_and_takes_its_file_away(tmp_path: Path) -> None:
    sim = Sim.start(tmp_path)
    assert sim.process is not None
    os.kill(sim.pid, signal.SIGTERM)
    assert sim.process.wait(30) == 0
    assert not (tmp_path / "sim.json").exists()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    program = ("import sys, os; from tests.sim.client import Sim; "
               "print(Sim.start(sys.argv[1]).pid, flush=True); os._exit(0)")
    pid = int(subprocess.run(["/usr/bin/python3", "-c", program, str(tmp_path)], check=True,
                             capture_output=True, text=True,
                             cwd=Path(__file__).resolve().parents[2]).stdout)
    wait_until(lambda: not (tmp_path / "sim.json").exists())
    wait_until(lambda: not is_running(pid))


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SimFailed, match="no-such-option"):
        Sim.start(tmp_path, arguments=("--no-such-option",))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_control_refuses_what_makes_no_sense(sim: Sim) -> None:
    sim.add_user(ALICE)
    for wrong in (lambda: sim.set_user(ALICE, status="HAPPY"),
                  lambda: sim.set_user(ALICE, staus="ACTIVE"),
                  lambda: sim.set_push(ALICE, "maybe"),
                  lambda: sim.add_factor(ALICE, "carrier-pigeon"),
                  lambda: sim.add_factor(ALICE, "token:software:totp", secret="1!"),
                  lambda: sim.add_factor("nobody@example.com", "push"),
                  lambda: sim.passcode(ALICE),
                  lambda: sim.approve(ALICE, wait=0),
                  lambda: sim.enrol_device("no-guid"),
                  lambda: sim.enrol_device(compliance="Compliant"),
                  lambda: sim.enrol_device(managementState="unmanaged"),
                  lambda: sim.enrol_device(lastSync="2026-01-01T00:00:00Z"),
                  lambda: sim.remove_device(str(uuid.uuid4())),
                  lambda: sim.org(no_such_switch=True),
                  lambda: sim.org(rate_limit="many"),
                  lambda: sim.org(force_number_challenge=1),
                  lambda: sim.fault("earthquake"),
                  lambda: sim.fault("status", sattus=500),
                  lambda: sim.clear_fault(4711),
                  lambda: sim.listener("okta", "sideways"),
                  lambda: sim.wait_push(ALICE, timeout=0.05)):
        with pytest.raises(SimFailed):
            wrong()


# --- Okta: who may ask, and what for -------------------------------------------------------------


def test_user_by_id_login_and_short_login(sim: Sim, call: Caller, alice: Person) -> None:
    for key in (alice.id, quote(ALICE, safe=""), "alice"):
        reply = call.okta("/api/v1/users/" + key, shape=USER)
        assert reply.status == 200
        assert reply.json["id"] == alice.id and reply.json["status"] == "ACTIVE"
    sim.add_user("alice@example.org")
    refused(call.okta("/api/v1/users/alice", shape=USER), 404, "E0000007")
    refused(call.okta("/api/v1/users/" + quote("a/b@example.com", safe="")), 404, "E0000007")
    sim.set_user(ALICE, status="SUSPENDED")
    assert call.okta("/api/v1/users/" + alice.id, shape=USER).json["status"] == "SUSPENDED"


def test_devices_of_a_person_and_people_of_a_device(sim: Sim, call: Caller,
                                                    alice: Person) -> None:
    bob = sim.add_user(BOB)["id"]
    sim.set_okta_device("guo1", users={ALICE: "MANAGED", BOB: "NOT_MANAGED"},
                        udid=str(uuid.uuid4()))
    sim.set_okta_device("guo2", users={ALICE: "MANAGED"}, platform="WINDOWS", serialNumber="AB12")
    sim.set_okta_device("guo3", users={BOB: "MANAGED"})
    reply = call.okta(f"/api/v1/users/{alice.id}/devices", shape=USER_DEVICES)
    assert [d["device"]["id"] for d in reply.json] == ["guo1", "guo2"]
    assert reply.json[1]["device"]["profile"]["serialNumber"] == "AB12"
    reply = call.okta("/api/v1/devices/guo1/users", shape=DEVICE_USERS)
    assert {u["user"]["id"]: u["managementStatus"] for u in reply.json} == {
        alice.id: "MANAGED", bob: "NOT_MANAGED"}
    assert call.okta("/api/v1/devices/guo1", shape=OKTA_DEVICE).json["status"] == "ACTIVE"
    sim.set_okta_device("guo1", status="DEACTIVATED")
    assert call.okta("/api/v1/devices/guo1/users", shape=DEVICE_USERS).json == []
    assert len(call.okta(f"/api/v1/users/{alice.id}/devices", shape=USER_DEVICES).json) == 1
    refused(call.okta("/api/v1/users/alice/devices", shape=USER_DEVICES), 404, "E0000007")
    refused(call.okta("/api/v1/devices/guo9/users", shape=DEVICE_USERS), 404, "E0000007")
    sim.org(okta_token_reads_devices=False)
    refused(call.okta("/api/v1/devices/guo1", shape=OKTA_DEVICE), 403, "E0000006")
    refused(call.okta(f"/api/v1/users/{alice.id}/devices", shape=USER_DEVICES), 403, "E0000006")
    for wrong in (lambda: sim.set_okta_device("guo1", status="active"),
                  lambda: sim.set_okta_device("guo1", users={"nobody@example.com": "MANAGED"}),
                  lambda: sim.set_okta_device("guo1", users={BOB: "maybe"}),
                  lambda: sim.set_okta_device("guo1", platform="LINUX"),
                  lambda: sim.remove_okta_device("guo9")):
        with pytest.raises(SimFailed):
            wrong()


def test_devices_of_a_person_by_page(sim: Sim, call: Caller, alice: Person) -> None:
    for number in range(5):
        sim.set_okta_device(f"guo{number}", users={ALICE: "MANAGED"})
    sim.org(okta_devices_page_size=2)
    url, seen = f"/api/v1/users/{alice.id}/devices", []
    while url:
        reply = call.okta(url, shape=USER_DEVICES)
        seen += [d["device"]["id"] for d in reply.json]
        links = [x for x in reply.headers["link"] if 'rel="next"' in x]
        url = links[0].partition(">")[0].strip("<") if links else ""
    assert seen == [f"guo{number}" for number in range(5)]


@pytest.mark.parametrize("header", ["", "SSWS wrong", "Bearer TOKEN", "SSWS TOKENx", "TOKEN",
                                    "SSWS", "ssws TOKEN"])
def test_wrong_token(sim: Sim, call: Caller, alice: Person, header: str) -> None:
    given = header.replace("TOKEN", call.okta_token)
    refused(call.okta("/api/v1/users/alice", Authorization=given, shape=USER), 401, "E0000011")
    refused(alice.send_push(Authorization=given), 401, "E0000011")
    assert sim.pushes() == []


def test_revoked_token(sim: Sim, call: Caller, alice: Person) -> None:
    sim.org(okta_token_valid=False)
    refused(call.okta("/api/v1/users/alice", shape=USER), 401, "E0000011")


def test_unknown_paths_methods_and_accept(call: Caller, alice: Person) -> None:
    refused(call.okta("/api/v1/nothing"), 404, "E0000007")
    refused(call.okta("/api/v1/users/alice", "DELETE"), 405, "E0000022")
    refused(call.okta("/api/v1/users/alice", Accept="text/plain", shape=USER), 400, "E0000021")


def test_groups_come_in_pages(sim: Sim, call: Caller) -> None:
    names = [f"group {i}" for i in range(7)]
    made = sim.add_user(ALICE, groups=tuple(names))
    sim.org(groups_page_size=3)
    url, seen, pages = f"/api/v1/users/{made['id']}/groups", [], 0
    while url:
        reply = call.okta(url, shape="/api/v1/users/{id}/groups")
        seen += [g["profile"]["name"] for g in reply.json]
        pages += 1
        links = {part.partition("rel=")[2].strip('"'): part.partition(">")[0].strip("<")
                 for part in reply.headers["link"]}
        assert set(links) <= {"self", "next"} and "self" in links
        url = links.get("next", "")
    assert (seen, pages) == (names, 3)


def test_factors_are_listed_by_id_only(sim: Sim, call: Caller, alice: Person) -> None:
    sim.add_factor(ALICE, "sms")
    sim.add_factor(ALICE, "webauthn", status="PENDING_ACTIVATION")
    reply = call.okta(f"/api/v1/users/{alice.id}/factors", shape=FACTORS)
    assert [f["factorType"] for f in reply.json] == ["push", "token:software:totp", "sms",
                                                     "webauthn"]
    assert "verify" in reply.json[0]["_links"] and "verify" not in reply.json[3]["_links"]
    assert alice.totp["secret"] not in reply.raw.decode()
    refused(call.okta(f"/api/v1/users/{quote(ALICE)}/factors", shape=FACTORS), 404, "E0000007")
    one = call.okta(alice.path(alice.push), shape=FACTORS + "/{factorId}")
    assert one.json["id"] == alice.push["id"]


def test_rate_limit_counts_and_refuses(sim: Sim, call: Caller, alice: Person) -> None:
    first = call.okta("/api/v1/users/alice", shape=USER)
    second = call.okta("/api/v1/users/alice", shape=USER)
    left = [int(r.headers["x-rate-limit-remaining"][0]) for r in (first, second)]
    assert left[1] == left[0] - 1 or left[1] > left[0]  # a new minute may have begun
    sim.org(rate_limit=0, date_skew=3600.0)
    reply = call.okta("/api/v1/users/alice", shape=USER)
    refused(reply, 429, "E0000047")
    assert 0 < int(reply.headers["x-rate-limit-reset"][0]) - time.time() - 3600 <= 61


# --- Okta: push ----------------------------------------------------------------------------------


def test_push_is_approved(sim: Sim, alice: Person) -> None:
    first = alice.send_push({})
    assert first.status == 201 and first.json["factorResult"] == "WAITING"
    assert "_embedded" not in first.json and first.json["_links"]["cancel"]["href"]
    waiting = alice.poll(first)
    assert waiting.json["factorResult"] == "WAITING"
    links = [r.json["_links"]["poll"]["href"].rpartition("/")[2] for r in (first, waiting)]
    assert links[0].startswith("mst") and links[1].startswith("v2mst.")
    assert sim.approve(ALICE)[0]["result"] == "SUCCESS"
    assert alice.poll(waiting).json == {"factorResult": "SUCCESS"}
    assert (sim.count("okta.verify"), sim.count("okta.poll")) == (1, 2)


def test_push_is_denied(sim: Sim, alice: Person) -> None:
    first = alice.send_push()
    sim.deny(ALICE)
    reply = alice.poll(first)
    assert reply.status == 200 and reply.json["factorResult"] == "REJECTED"
    assert set(reply.json["_links"]) == {"verify", "factor"}


@pytest.mark.parametrize("mode, result", [("approve", "SUCCESS"), ("deny", "REJECTED"),
                                          ("timeout", "TIMEOUT")])
def test_push_behaviour_after_a_while(sim: Sim, alice: Person, mode: str, result: str) -> None:
    sim.set_push(ALICE, mode, after=3600)
    assert alice.poll(alice.send_push()).json["factorResult"] == "WAITING"
    sim.set_push(ALICE, mode, after=0.2)
    first = alice.send_push()
    wait_until(lambda: alice.poll(first).json["factorResult"] != "WAITING")
    assert alice.poll(first).json["factorResult"] == result


def test_ignored_push_times_out(sim: Sim, alice: Person) -> None:
    sim.set_push(ALICE, "ignore")
    lasting = alice.send_push()
    sim.org(push_lifetime=0.2)
    first = alice.send_push()
    wait_until(lambda: alice.poll(first).json["factorResult"] == "TIMEOUT")
    assert alice.poll(lasting).json["factorResult"] == "WAITING"
    with pytest.raises(SimFailed, match="ignores"):
        sim.approve(ALICE)


def test_number_challenge_asked_for(sim: Sim, alice: Person) -> None:
    reply = alice.send_push({"useNumberMatchingChallenge": True})
    number = reply.json["_embedded"]["challenge"]["correctAnswer"]
    assert type(number) is int and 10 <= number <= 99
    assert sim.pushes(ALICE)[0]["number"] == number
    assert alice.poll(reply).json["_embedded"]["challenge"]["correctAnswer"] == number
    sim.approve(ALICE, number=number)
    assert alice.poll(reply).json["factorResult"] == "SUCCESS"


def test_wrong_number_denies(sim: Sim, alice: Person) -> None:
    reply = alice.send_push({"useNumberMatchingChallenge": True})
    sim.approve(ALICE, number=100)
    assert alice.poll(reply).json["factorResult"] == "REJECTED"


def test_number_forced_by_the_org_and_shown_late(sim: Sim, alice: Person) -> None:
    sim.org(force_number_challenge=True, number_after_polls=2)
    first = alice.send_push()
    shown = ["_embedded" in alice.poll(first).json for _ in range(3)]
    assert "_embedded" not in first.json and shown == [False, True, True]


def test_no_number_where_none_was_asked_for(sim: Sim, alice: Person) -> None:
    alice.send_push()
    with pytest.raises(SimFailed, match="no number"):
        sim.approve(ALICE, number=42)
    refused(alice.send_push({"useNumberMatchingChallenge": "yes"}), 400, "E0000001")


def test_push_needs_a_user_agent(sim: Sim, alice: Person) -> None:
    refused(alice.send_push(User_Agent=""), 400, "E0000001")
    assert sim.pushes() == []


def test_verify_refuses_bad_bodies(sim: Sim, alice: Person) -> None:
    for body in (b"{", b"[]", b'"x"', b"\xff"):
        refused(alice.send_push(body), 400, "E0000003")
    refused(alice.send_push({}, Content_Type="text/plain"), 400, "E0000021")
    assert sim.pushes() == []


def test_post_without_body_and_length_is_411(sim: Sim, call: Caller, alice: Person) -> None:
    address = urlsplit(sim.okta_url)
    connection = http.client.HTTPSConnection(str(address.hostname), address.port,
                                             context=call.context, timeout=30)
    connection.putrequest("POST", alice.path(alice.push) + "/verify")
    connection.putheader("Authorization", "SSWS " + call.okta_token)
    connection.putheader("User-Agent", "x")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()
    assert sim.pushes() == []


def test_verify_takes_the_user_id_only(call: Caller, sim: Sim, alice: Person) -> None:
    other = Person(sim, call, BOB)
    for user, factor, status, code in ((quote(ALICE), alice.push["id"], 404, "E0000007"),
                                       (alice.id, "opfnothere", 404, "E0000007"),
                                       (alice.id, other.push["id"], 404, "E0000007")):
        path = f"/api/v1/users/{user}/factors/{factor}/verify"
        refused(call.okta(path, "POST", b"", shape=VERIFY), status, code)
    sim.remove_factor(ALICE, alice.push["id"])
    refused(alice.send_push(), 410, "E0000154")


@pytest.mark.parametrize("status, http_status, code", [
    ("SUSPENDED", 423, "E0000155"), ("DEPROVISIONED", 423, "E0000155"),
    ("STAGED", 423, "E0000155"), ("LOCKED_OUT", 403, "E0000069")])
def test_people_who_are_not_active(sim: Sim, alice: Person, status: str, http_status: int,
                                   code: str) -> None:
    sim.set_user(ALICE, status=status)
    refused(alice.send_push(), http_status, code)
    refused(alice.send_code(sim.passcode(ALICE)), http_status, code)
    assert sim.pushes() == []


def test_factor_that_is_not_active(sim: Sim, alice: Person) -> None:
    sim.set_factor(ALICE, alice.push["id"], status="INACTIVE")
    refused(alice.send_push(), 423, "E0000180")


def test_cancel(sim: Sim, call: Caller, alice: Person) -> None:
    first = alice.send_push()
    cancel = first.json["_links"]["cancel"]["href"]
    assert call.okta(cancel, "DELETE").status == 204
    assert sim.pushes(ALICE)[0]["result"] == "CANCELLED"
    refused(alice.poll(first), 404, "E0000007")
    refused(call.okta(cancel, "DELETE"), 403, "E0000079")
    with pytest.raises(SimFailed, match="no push"):
        sim.approve(ALICE, wait=0)
    assert sim.count("okta.cancel") == 2


def test_transactions_belong_to_their_factor(sim: Sim, call: Caller, alice: Person) -> None:
    bob = Person(sim, call, BOB)
    transaction = bob.send_push().json["_links"]["poll"]["href"].rpartition("/")[2]
    sim.approve(BOB)
    path = alice.path(alice.push) + "/transactions/"
    refused(call.okta(path + transaction, shape=TRANSACTION), 404, "E0000007")
    refused(call.okta(path + "mstnothere", shape=TRANSACTION), 404, "E0000007")


def test_answer_on_another_phone_does_not_count(sim: Sim, alice: Person) -> None:
    second = sim.add_factor(ALICE, "push")
    first = alice.send_push()
    with pytest.raises(SimFailed, match="no push"):
        sim.approve(ALICE, factor=second["id"], wait=0)
    assert alice.poll(first).json["factorResult"] == "WAITING"


def test_links_that_lead_to_another_factor(sim: Sim, call: Caller, alice: Person) -> None:
    sim.set_push(ALICE, "other_factor")
    first = alice.send_push()
    astray = alice.poll(first).json["_links"]["poll"]["href"]
    assert alice.id not in astray and alice.push["id"] not in astray
    assert call.okta(astray, shape=TRANSACTION).json == {"factorResult": "SUCCESS"}
    assert alice.poll(first).json["factorResult"] == "WAITING"


def test_first_transaction_id_may_serve_once(sim: Sim, alice: Person) -> None:
    sim.org(strict_transaction_ids=True)
    first = alice.send_push()
    second = alice.poll(first)
    refused(alice.poll(first), 404, "E0000007")
    assert alice.poll(second).json["factorResult"] == "WAITING"


# --- Okta: passcodes -----------------------------------------------------------------------------


def test_totp_vectors_of_rfc_6238() -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    for seconds, expected in ((59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"),
                              (1234567890, "89005924"), (2000000000, "69279037"),
                              (20000000000, "65353130")):
        assert totp.code(secret, totp.step_of(seconds), 8) == expected


def test_passcode_right_and_replayed(sim: Sim, alice: Person) -> None:
    code = sim.passcode(ALICE)
    assert alice.send_code(code).json == {"factorResult": "SUCCESS"}
    refused(alice.send_code(code), 403, "E0000082")
    sim.org(totp_errors_as_result=True)
    reply = alice.send_code(code)
    assert reply.status == 200 and reply.json == {"factorResult": "PASSCODE_REPLAYED"}
    assert sim.passcode(ALICE) != code
    assert alice.send_code(sim.passcode(ALICE)).json == {"factorResult": "SUCCESS"}


def test_passcodes_do_not_run_out(sim: Sim, alice: Person) -> None:
    """More than half a minute has of them; none is taken twice."""
    codes = []
    for _ in range(5):
        codes.append(sim.passcode(ALICE))
        assert alice.send_code(codes[-1]).json == {"factorResult": "SUCCESS"}
    for code in codes:
        refused(alice.send_code(code), 403, "E0000082")


def test_passcode_wrong(sim: Sim, alice: Person) -> None:
    near = {totp.code(alice.totp["secret"], totp.step_of(time.time()) + i) for i in range(-12, 20)}
    wrong = next(c for c in (f"{i:06d}" for i in range(100)) if c not in near)
    refused(alice.send_code(wrong), 403, "E0000068")
    for code in ("", "12345", "1234567", "abcdef", "１２３４５６", "\ud800"):
        assert alice.send_code(code).status in (400, 403)
    for code in (None, 123456, ["123456"], True):
        refused(alice.send_code(code), 400, "E0000001")


def test_passcode_late(sim: Sim, alice: Person) -> None:
    late = totp.code(alice.totp["secret"], totp.step_of(time.time()) - 5)
    refused(alice.send_code(late), 403, "E0000083")
    sim.org(totp_errors_as_result=True)
    assert alice.send_code(late).json == {"factorResult": "TIME_WINDOW_EXCEEDED"}
    sim.org(totp_window=8)
    assert alice.send_code(late).json == {"factorResult": "SUCCESS"}


def test_wrong_passcodes_lock_out(sim: Sim, alice: Person) -> None:
    sim.org(lock_after=2)
    refused(alice.send_code("x"), 403, "E0000068")
    refused(alice.send_code("x"), 403, "E0000068")
    refused(alice.send_code(sim.passcode(ALICE)), 403, "E0000069")
    assert sim.user(ALICE)["status"] == "LOCKED_OUT"


@pytest.mark.parametrize("kind", ["sms", "call", "email"])
def test_codes_that_are_sent(sim: Sim, call: Caller, alice: Person, kind: str) -> None:
    """A code is good once, and one that was sent later takes its place."""
    path = alice.path(sim.add_factor(ALICE, kind)) + "/verify"
    refused(call.okta(path, "POST", {"passCode": "123456"}, shape=VERIFY), 403, "E0000068")
    for _ in range(2):
        reply = call.okta(path, "POST", b"", shape=VERIFY)
        assert reply.status == 200 and reply.json["factorResult"] == "CHALLENGE"
    code = sim.code(ALICE, kind)
    good = call.okta(path, "POST", {"passCode": code}, shape=VERIFY)
    assert (good.status, good.json) == (200, {"factorResult": "SUCCESS"})
    refused(call.okta(path, "POST", {"passCode": code}, shape=VERIFY), 403, "E0000068")
    sim.org(message_pause=60)
    code = {"sms": "E0000109", "call": "E0000133", "email": "E0000118"}[kind]
    refused(call.okta(path, "POST", b"", shape=VERIFY), 429, code)
    assert sim.messages(ALICE, kind) == 2


@pytest.mark.parametrize("kind, member", [("question", "answer"), ("token", "passCode"),
                                          ("token:hotp", "passCode"),
                                          ("token:hardware", "passCode")])
def test_answers_for_which_nothing_is_sent(sim: Sim, call: Caller, alice: Person, kind: str,
                                           member: str) -> None:
    path = alice.path(sim.add_factor(ALICE, kind)) + "/verify"
    other = "answer" if member == "passCode" else "passCode"
    right = sim.code(ALICE, kind)
    refused(call.okta(path, "POST", b"", shape=VERIFY), 400, "E0000001")
    refused(call.okta(path, "POST", {other: right}, shape=VERIFY), 400, "E0000001")
    refused(call.okta(path, "POST", {member: "wrong"}, shape=VERIFY), 403, "E0000068")
    good = call.okta(path, "POST", {member: right}, shape=VERIFY)
    assert (good.status, good.json) == (200, {"factorResult": "SUCCESS"})
    if kind == "token:hardware":
        refused(call.okta(path, "POST", {member: right}, shape=VERIFY), 403, "E0000082")
    if kind == "token:hotp":
        refused(call.okta(path, "POST", {member: right}, shape=VERIFY), 403, "E0000068")


def test_factors_that_nobody_can_pass_here(sim: Sim, call: Caller, alice: Person) -> None:
    for kind in ("signed_nonce", "webauthn", "u2f", "web"):
        path = alice.path(sim.add_factor(ALICE, kind)) + "/verify"
        assert call.okta(path, "POST", b"", shape=VERIFY).status == 400


# --- Entra ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm, wanted", [("PS256", "PS256"), ("RS256", "RS256"),
                                               ("PS256", "any"), ("RS256", "any")])
def test_token_for_a_right_assertion(sim: Sim, call: Caller, algorithm: str, wanted: str) -> None:
    sim.org(assertion_alg=wanted, token_lifetime=1234)
    reply = call.token(call.assertion(call.claims(), algorithm))
    assert reply.status == 200 and reply.json["token_type"] == "Bearer"
    assert reply.json["expires_in"] == 1234 and len(reply.json["access_token"]) > 32


PRESENT = int(time.time())


@pytest.mark.parametrize("changes, number", [
    ({"aud": "https://login.microsoftonline.com/common/v2.0"}, 700023),
    ({"iss": str(uuid.uuid4())}, 700021), ({"sub": str(uuid.uuid4())}, 700021),
    ({"nbf": PRESENT - 2000, "iat": PRESENT - 2000, "exp": PRESENT - 1500}, 700024),
    ({"nbf": PRESENT + 4000, "iat": PRESENT + 4000, "exp": PRESENT + 4300}, 700024),
    ({"exp": PRESENT + 86400}, 700024), ({"jti": "short"}, 50027),
    ({"jti": None}, 50027), ({"nbf": None}, 50027), ({"iat": None}, 50027),
    ({"exp": None}, 50027), ({"sub": None}, 50027), ({"aud": None}, 50027)])
def test_token_refused_for_wrong_claims(sim: Sim, call: Caller, changes: dict[str, Any],
                                        number: int) -> None:
    reply = call.token(call.assertion(call.claims(**changes)))
    assert reply.status == 401 and reply.json["error"] == "invalid_client"
    assert reply.json["error_codes"] == [number]
    assert reply.json["error_description"].startswith(f"AADSTS{number}:")


def test_token_refused_for_wrong_signature_or_header(sim: Sim, call: Caller) -> None:
    claims = call.claims()
    good = call.assertion(claims)
    flipped = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
    for assertion in (
            flipped, call.assertion(claims, "RS256"),
            call.assertion(claims, key=make_key("rsa2048")),
            call.assertion(claims, **{"x5t#S256": "wrong"}), call.assertion(claims, typ="at+jwt"),
            jwt.encode(claims, "", "none"), jwt.encode(claims, "secret", "HS256")):
        reply = call.token(assertion)
        assert (reply.status, reply.json["error_codes"]) == (401, [700027])
    for assertion in ("no.jwt", "x", "a" * 20000):
        assert call.token(assertion).json["error_codes"] == [50027]
    assert call.token(good).status == 200


def test_assertion_is_good_once(call: Caller) -> None:
    assertion = call.assertion(call.claims())
    assert call.token(assertion).status == 200
    again = call.token(assertion)
    assert again.status == 401 and again.json["error_codes"] == [50027]


@pytest.mark.parametrize("changes, status, error", [
    ({"client_id": str(uuid.uuid4())}, 400, "unauthorized_client"),
    ({"client_id": None}, 400, "invalid_request"), ({"scope": None}, 400, "invalid_request"),
    ({"scope": "openid"}, 400, "invalid_scope"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"client_assertion_type": None}, 401, "invalid_client"),
    ({"client_assertion": None, "client_secret": "x"}, 401, "invalid_client"),
    ({"tenant": str(uuid.uuid4())}, 400, "invalid_request")])
def test_token_refused_for_a_wrong_form(call: Caller, changes: dict[str, Any], status: int,
                                        error: str) -> None:
    reply = call.token(**{"assertion": call.assertion(call.claims()), **changes})
    assert (reply.status, reply.json["error"]) == (status, error)


# --- Graph ---------------------------------------------------------------------------------------


def test_device_by_intune_id(sim: Sim, call: Caller) -> None:
    made = sim.enrol_device(user=ALICE, compliance="inGracePeriod",
                            complianceGracePeriodExpirationDateTime="2026-12-01T00:00:00Z")
    call.log_in()
    reply = call.graph(f"/deviceManagement/managedDevices/{made['id'].upper()}", shape=DEVICE)
    assert reply.status == 200 and reply.json["id"] == made["id"]
    assert reply.json["complianceState"] == "inGracePeriod"
    assert reply.json["userPrincipalName"] == ALICE
    assert reply.json["ethernetMacAddress"] is None
    selected = call.graph(f"/deviceManagement/managedDevices/{made['id']}"
                          "?$select=id,ethernetMacAddress,complianceState", shape=DEVICE)
    assert set(selected.json) == {"@odata.context", "id", "ethernetMacAddress", "complianceState"}
    assert selected.json["ethernetMacAddress"] == "001122334456"
    sim.make_noncompliant(made["id"])
    again = call.graph(f"/deviceManagement/managedDevices/{made['id']}", shape=DEVICE)
    assert again.json["complianceState"] == "noncompliant"


def test_device_shape_has_no_member_that_graph_does_not_have(sim: Sim, specs: dict[str, Spec]
                                                             ) -> None:
    if not specs:
        pytest.skip("set DEVTRUST_SPECS to the folder of the OpenAPI subsets")
    known = specs["graph"].properties("microsoft.graph.managedDevice")
    assert set(sim.enrol_device()) <= known and len(known) > 40


def test_device_that_is_not_there(sim: Sim, call: Caller) -> None:
    made = sim.enrol_device()
    call.log_in()
    for key, query, status, code in (
            (str(uuid.uuid4()), "", 404, "ResourceNotFound"),
            (made["azureADDeviceId"], "", 404, "ResourceNotFound"),
            ("not-a-guid", "", 400, "BadRequest"),
            (made["id"], "?$select=complianceStatus", 400, "BadRequest"),
            (made["id"], "?$select=", 400, "BadRequest")):
        reply = call.graph(f"/deviceManagement/managedDevices/{key}{query}", shape=DEVICE)
        assert (reply.status, reply.json["error"]["code"]) == (status, code)
        assert reply.json["error"]["innerError"]["request-id"]
    sim.remove_device(made["id"])
    reply = call.graph(f"/deviceManagement/managedDevices/{made['id']}", shape=DEVICE)
    assert reply.status == 404


def test_bearer_wrong_expired_revoked(sim: Sim, call: Caller) -> None:
    device = sim.enrol_device()
    path = f"/deviceManagement/managedDevices/{device['id']}"
    token = call.log_in()
    assert call.graph(path, shape=DEVICE).status == 200
    for bearer in ("", "wrong", token + "x", token[:-1]):
        reply = call.graph(path, shape=DEVICE, bearer=bearer)
        assert reply.status == 401
        assert reply.json["error"]["code"] == "InvalidAuthenticationToken"
        assert "invalid_token" in reply.headers["www-authenticate"][0]
    assert sim.revoke_tokens() == 1
    assert call.graph(path, shape=DEVICE).status == 401
    sim.org(token_lifetime=0)
    call.log_in()
    assert call.graph(path, shape=DEVICE).status == 401


@pytest.mark.parametrize("empty_first", [False, True])
def test_devices_by_filter_and_page(sim: Sim, call: Caller, empty_first: bool) -> None:
    entra = str(uuid.uuid4())
    mine = {sim.enrol_device(azureADDeviceId=entra)["id"] for _ in range(5)}
    sim.enrol_device()
    sim.org(devices_page_size=2, empty_first_page=empty_first)
    call.log_in()
    query = quote(f"azureADDeviceId eq '{entra}'")
    url, seen, pages = f"{DEVICES}?$filter={query}&$select=id,complianceState", set(), 0
    while url:
        reply = call.graph(url, shape=DEVICES)
        assert len(reply.json["value"]) <= 2
        seen |= {d["id"] for d in reply.json["value"]}
        pages += 1
        url = reply.json.get("@odata.nextLink", "")
    assert seen == mine and pages == (4 if empty_first else 3)


@pytest.mark.parametrize("query", ["$filter=azureADDeviceId", "$filter=color eq 'red'",
                                   "$filter=id eq 'a' or id eq 'b'", "$skiptoken=x", "$top=0",
                                   "$filter=id eq 'x''", "$select=id,colour"])
def test_devices_bad_query(call: Caller, query: str) -> None:
    call.log_in()
    reply = call.graph(DEVICES + "?" + quote(query, safe="=$,"), shape=DEVICES)
    assert (reply.status, reply.json["error"]["code"]) == (400, "BadRequest")


def test_devices_filter_quotes(sim: Sim, call: Caller) -> None:
    made = sim.enrol_device(deviceName="Ann's laptop")
    call.log_in()
    query = quote("deviceName eq 'Ann''s laptop'")
    assert [d["id"] for d in call.graph(f"{DEVICES}?$filter={query}", shape=DEVICES).json["value"]
            ] == [made["id"]]


# --- faults --------------------------------------------------------------------------------------


def test_fault_status_keeps_the_push_from_being_sent(sim: Sim, alice: Person) -> None:
    sim.fault("status", status=503, endpoint="verify", times=1)
    refused(alice.send_push(), 503, "E0000010")
    assert sim.pushes() == []
    assert alice.send_push().status == 201


def test_fault_may_strike_after_the_push_was_sent(sim: Sim, alice: Person) -> None:
    sim.fault("status", status=500, endpoint="verify", act=True)
    refused(alice.send_push(), 500, "E0000009")
    assert len(sim.pushes(ALICE)) == 1


def test_fault_rate_limit(sim: Sim, call: Caller, alice: Person) -> None:
    fault = sim.fault("rate_limit", listener="okta", reset_after=7)
    reply = alice.send_push()
    refused(reply, 429, "E0000047")
    assert reply.headers["x-rate-limit-limit"] == ["600"]
    assert 4 <= int(reply.headers["x-rate-limit-reset"][0]) - time.time() <= 8
    assert "retry-after" not in reply.headers
    sim.clear_fault(fault)
    sim.fault("rate_limit", concurrency=True)
    reply = call.okta("/api/v1/users/alice", shape=USER)
    assert reply.headers["x-rate-limit-limit"] == reply.headers["x-rate-limit-remaining"] == ["0"]
    sim.clear_faults()
    sim.fault("rate_limit", listener="graph", retry_after=9)
    reply = call.graph(DEVICES, shape=DEVICES)
    assert (reply.status, reply.headers["retry-after"]) == (429, ["9"])
    assert reply.json["error"]["code"] == "TooManyRequests"


def test_fault_matching_skip_and_times(sim: Sim, call: Caller, alice: Person) -> None:
    sim.fault("status", path="/api/v1/users/al*", method="GET", skip=1, times=2)
    seen = [call.okta("/api/v1/users/alice").status for _ in range(5)]
    assert seen == [200, 500, 500, 200, 200]
    assert sim.faults()[0]["hits"] == 2
    assert call.okta("/api/v1/users/" + alice.id).status == 200
    assert [r["fault"] is not None for r in sim.requests("user")] == [
        False, True, True, False, False, False]


def test_faults_that_change_the_answer(sim: Sim, call: Caller, alice: Person) -> None:
    def ask(kind: str, **values: Any) -> Reply:
        sim.clear_faults()
        sim.fault(kind, **values)
        return call.okta("/api/v1/users/alice")

    changed = ask("merge", body={"status": "HAPPY", "profile": None, "_links": {"self": 1}})
    assert changed.json["status"] == "HAPPY" and "profile" not in changed.json
    assert changed.json["_links"] == {"self": 1} and changed.json["id"] == alice.id
    assert ask("merge", body={}, status=299).status == 299
    challenge = ask("json", status=200, body={"factorResult": "CHALLENGE"})
    assert challenge.json == {"factorResult": "CHALLENGE"}
    assert ask("html").headers["content-type"][0].startswith("text/html")
    assert ask("content_type").headers["content-type"] == ["text/html"]
    broken = ask("not_json")
    assert broken.headers["content-type"][0].startswith("application/json")
    with pytest.raises(ValueError):
        broken.json
    moved = ask("redirect", location="https://elsewhere.test/")
    assert (moved.status, moved.headers["location"]) == (302, ["https://elsewhere.test/"])
    odd = ask("headers", headers={"X-Extra": ["a", "b"], "Cache-Control": None})
    assert odd.headers["x-extra"] == ["a", "b"] and "cache-control" not in odd.headers
    for chunked in (False, True):
        huge = ask("huge", size=300_000, chunked=chunked)
        assert len(huge.raw) == 300_000 and huge.json["factorResult"] == "SUCCESS"
        assert ("content-length" in huge.headers) is not chunked


def test_faults_that_break_the_connection(sim: Sim, call: Caller, alice: Person) -> None:
    sim.fault("truncate", times=1)
    with pytest.raises(http.client.IncompleteRead):
        call.okta("/api/v1/users/alice")
    sim.fault("reset", times=1, endpoint="verify")
    with pytest.raises((ConnectionError, ssl.SSLError)):
        alice.send_push()
    assert sim.pushes() == []
    sim.fault("reset", times=1, endpoint="verify", act=True)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        alice.send_push()
    assert len(sim.pushes()) == 1


def test_faults_that_take_time(sim: Sim, call: Caller, alice: Person) -> None:
    for kind, values in (("delay", {"seconds": 0.4}), ("drip", {"seconds": 0.1, "chunk": 150})):
        sim.clear_faults()
        sim.fault(kind, **values)
        start = time.monotonic()
        assert call.okta("/api/v1/users/alice").json["id"] == alice.id
        assert time.monotonic() - start >= 0.3
    sim.clear_faults()
    sim.fault("hang")
    with pytest.raises(TimeoutError):
        call.send(sim.okta_url + "/api/v1/users/alice", timeout=0.3)
    wait_until(lambda: sim.statistics()["in_flight"] == 0)


def test_listener_down_silent_and_with_bad_certificates(sim: Sim, call: Caller) -> None:
    def ask(timeout: float = 30.0) -> int:
        return call.send(sim.okta_url + "/x", timeout=timeout).status

    assert ask() == 401
    sim.listener("okta", "down")
    with pytest.raises(ConnectionRefusedError):
        ask()
    assert call.send(sim.graph_url + "/x").status == 401
    sim.listener("okta", "silent")
    with pytest.raises(TimeoutError):
        ask(timeout=0.3)
    for certificate in ("expired", "foreign", "wrong_name"):
        sim.listener("okta", "up", certificate)
        with pytest.raises(ssl.SSLCertVerificationError):
            ask()
    sim.listener("okta")
    assert ask() == 401


def test_reset_brings_everything_back(sim: Sim, call: Caller, alice: Person) -> None:
    sim.org(push_lifetime=1)
    sim.fault("status")
    sim.listener("okta", "down")
    sim.reset()
    assert sim.faults() == [] and sim.statistics()["counters"] == {}
    assert sim.org()["push_lifetime"] == 300
    refused(call.okta("/api/v1/users/alice", shape=USER), 404, "E0000007")


# --- counters and load ---------------------------------------------------------------------------


def test_request_log_counts_and_keeps_no_secret(sim: Sim, call: Caller, alice: Person) -> None:
    code = sim.passcode(ALICE)
    alice.send_code(code)
    alice.send_push()
    call.okta("/api/v1/nothing")
    call.token(call.assertion(call.claims()))
    counters = sim.statistics()["counters"]
    assert counters == {"okta.total": 3, "okta.verify": 2, "okta.other": 1, "login.total": 1,
                        "login.token": 1}
    entries = sim.requests()
    assert [e["status"] for e in entries] == [200, 201, 404, 200]
    assert entries[0]["user_agent"] == "devtrust-test/1"
    text = json.dumps(entries)
    assert call.okta_token not in text and code not in text
    sim.reset_requests()
    assert sim.requests() == [] and sim.count("okta.total") == 0


PENDING = 600


def test_six_hundred_pending_pushes(sim: Sim, call: Caller) -> None:
    people = [Person(sim, call, f"user{i}@example.com") for i in range(PENDING)]
    sim.fault("delay", endpoint="verify", seconds=1.0)  # else each may be answered before the next
    results = asyncio.run(push_and_poll(sim, call, people))
    assert results == ["WAITING"] * PENDING + ["SUCCESS"] * PENDING
    statistics = sim.statistics()
    assert statistics["counters"]["okta.verify"] == PENDING
    assert statistics["peak_in_flight"] > 1 and statistics["in_flight"] == 0


async def push_and_poll(sim: Sim, call: Caller, people: list[Person]) -> list[str]:
    """Everybody at once, each on a connection of their own: push, poll, approve, poll."""
    headers = {"Authorization": "SSWS " + call.okta_token, "User-Agent": "devtrust-test/1"}
    connector = aiohttp.TCPConnector(limit=PENDING, ssl=call.context)

    async def push(person: Person) -> str:
        url = sim.okta_url + person.path(person.push) + "/verify"
        async with session.post(url, json={}) as reply:
            assert reply.status == 201
            return (await reply.json())["_links"]["poll"]["href"]

    async def poll(url: str) -> str:
        async with session.get(url) as reply:
            return (await reply.json())["factorResult"]

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        polls = await asyncio.gather(*map(push, people))
        first = await asyncio.gather(*map(poll, polls))
        assert len(sim.wait_push(count=PENDING, timeout=0)) == PENDING
        for i in range(PENDING):
            sim.approve(f"user{i}@example.com")
        return first + await asyncio.gather(*map(poll, polls))


# --- the descriptions ----------------------------------------------------------------------------


# --- policies, zones, groups, applications -------------------------------------------------------

def catalogue(sim: Sim) -> dict[str, str]:
    """An org with one policy of each type, zones of each type, an application and a group."""
    app = sim.add_app(label="VPN")
    group = sim.group_id("Staff")
    zone = sim.add_zone(name="Office", type="IP", proxies=None,
                        gateways=[{"type": "CIDR", "value": "1.2.3.4/24"}])
    sim.add_zone(name="Abroad", type="DYNAMIC", proxyType="Tor", asns=["23457"],
                 locations=[{"country": "AF", "region": "AF-BGL"}])
    sim.add_zone(name="Anonymizers", type="DYNAMIC_V2", usage="BLOCKLIST", system=True,
                 asns={"include": [], "exclude": []}, locations={"include": [], "exclude": []},
                 ipServiceCategories={"include": ["ALL_ANONYMIZERS"], "exclude": []})
    access = {"access": "ALLOW", "verificationMethod": {
        "type": "ASSURANCE", "factorMode": "2FA", "reauthenticateIn": "PT2H", "constraints": []}}
    policy = sim.add_policy(type="ACCESS_POLICY", name="VPN", apps=[app], rules=[
        {"name": "Office", "priority": 0, "actions": {"appSignOn": access}, "conditions": {
            "people": {"groups": {"include": [group]}},
            "network": {"connection": "ZONE", "include": [zone]},
            "device": {"registered": True, "managed": True}}},
        {"name": "Catch-all Rule", "priority": 99, "system": True, "conditions": None,
         "actions": {"appSignOn": {"access": "DENY"}}}])
    radius = sim.add_policy(type="OKTA_SIGN_ON", name="RADIUS", rules=[
        {"name": "Challenge", "priority": 1, "conditions": {
            "network": {"connection": "ANYWHERE"}, "authContext": {"authType": "RADIUS"}},
         "actions": {"signon": {"access": "ALLOW", "requireFactor": True,
                                "factorPromptMode": "ALWAYS"}}}],
        conditions={"people": {"groups": {"include": [group]}}})
    return {"app": app, "group": group, "zone": zone, "policy": policy, "radius": radius}


def test_policies_by_type(sim: Sim, call: Caller) -> None:
    made = catalogue(sim)
    for kind, key in (("ACCESS_POLICY", "policy"), ("OKTA_SIGN_ON", "radius")):
        reply = call.okta(f"/api/v1/policies?type={kind}", shape=POLICIES)
        assert [p["id"] for p in reply.json] == [made[key]]
    assert call.okta("/api/v1/policies?type=PASSWORD", shape=POLICIES).json == []
    missing = call.okta("/api/v1/policies", shape=POLICIES)
    assert missing.status == 400 and missing.json["errorCode"] == "E0000001"


def test_a_policy_and_what_belongs_to_it(sim: Sim, call: Caller) -> None:
    made = catalogue(sim)
    path = "/api/v1/policies/" + made["policy"]
    policy = call.okta(path, shape=POLICY).json
    assert policy["type"] == "ACCESS_POLICY" and policy["conditions"] is None
    rules = call.okta(path + "/rules", shape=POLICY + "/rules").json
    assert [r["name"] for r in rules] == ["Office", "Catch-all Rule"]
    assert rules[1]["conditions"] is None and rules[1]["system"] is True
    mappings = call.okta(path + "/mappings", shape=POLICY + "/mappings").json
    mapped = [m["_links"]["application"]["href"].rpartition("/")[2] for m in mappings]
    assert mapped == [made["app"]]
    signon = call.okta(f"/api/v1/policies/{made['radius']}/rules", shape=POLICY + "/rules").json
    assert signon[0]["type"] == "SIGN_ON"
    for gone in ("", "/rules", "/mappings"):
        reply = call.okta("/api/v1/policies/rst000" + gone, shape=POLICY + gone)
        assert reply.status == 404 and reply.json["errorCode"] == "E0000007"


def test_lists_come_in_pages(sim: Sim, call: Caller) -> None:
    catalogue(sim)
    sim.org(policies_page_size=2)
    seen, path = [], "/api/v1/zones?limit=50"
    while path:
        reply = call.okta(path, shape=ZONES)
        seen += [z["name"] for z in reply.json]
        links = {line.partition("rel=")[2].strip('"'): line[1:line.index(">")]
                 for line in reply.headers["link"]}
        path = links.get("next", "")
    assert seen == ["Office", "Abroad", "Anonymizers"]
    assert call.okta("/api/v1/zones?limit=x", shape=ZONES).status == 400
    wanted = call.okta("/api/v1/zones", shape=ZONES).json[0]["id"]
    found = call.okta(f"/api/v1/zones?filter=id+eq+%22{wanted}%22", shape=ZONES).json
    assert [z["id"] for z in found] == [wanted]


def test_groups_and_applications_by_id(sim: Sim, call: Caller) -> None:
    made = catalogue(sim)
    group = call.okta("/api/v1/groups/" + made["group"]).json
    assert group["profile"]["name"] == "Staff" and group["type"] == "OKTA_GROUP"
    if call.specs:
        assert not call.specs["okta"].check({"$ref": "#/components/schemas/Group"}, group)
    app = call.okta("/api/v1/apps/" + made["app"]).json
    assert app["_links"]["accessPolicy"]["href"].endswith("/policies/" + made["policy"])
    assert [a["id"] for a in call.okta("/api/v1/apps?q=vp").json] == [made["app"]]
    for path in ("/api/v1/groups/00g000", "/api/v1/apps/0oa000"):
        assert call.okta(path).json["errorCode"] == "E0000007"


AUTHORIZE = "/oauth2/v1/device/authorize"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def test_device_authorization_grant(sim: Sim, call: Caller) -> None:
    """RFC 8628: pending, too fast, approved, once; denied; expired; by the native app alone."""
    def post(path: str, **form: str) -> Reply:
        reply = call.send(sim.okta_url + path, "POST", urlencode(form).encode(),
                          {"Content-Type": "application/x-www-form-urlencoded",
                           "Accept": "application/json"})
        if call.specs and path == AUTHORIZE:
            assert call.specs["oauth"].errors(AUTHORIZE, "POST", reply.status, reply.json) == []
        return reply

    def codes() -> dict[str, Any]:
        return post(AUTHORIZE, client_id=app, scope="openid profile").json

    def poll(made: dict[str, Any]) -> Reply:
        return post("/oauth2/v1/token", client_id=app, grant_type=DEVICE_CODE,
                    device_code=made["device_code"])

    app = sim.okta_native_client_id
    user = sim.add_user("ann@example.com")
    sim.org(device_interval=1.0)
    made = codes()
    assert made["verification_uri"] == sim.okta_url + "/activate" and made["interval"] == 1
    assert poll(made).json["error"] == "authorization_pending"
    assert poll(made).json["error"] == "slow_down"
    fresh = codes()
    sim.sign_in("ann@example.com", code=fresh["user_code"])
    claims = jwt.decode(poll(fresh).json["id_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["iss"]) == (user["id"], app, sim.okta_url)
    assert poll(fresh).json["error"] == "invalid_grant"
    denied = codes()
    sim.sign_in("ann@example.com", code=denied["user_code"], answer="deny")
    refused = poll(denied)
    assert (refused.status, refused.json["error"]) == (403, "access_denied")
    assert post(AUTHORIZE, client_id="0oaother", scope="openid").status == 401
    assert post(AUTHORIZE, client_id=app, scope="profile").json["error"] == "invalid_scope"
    sim.org(native_device_grant=False)
    assert post(AUTHORIZE, client_id=app, scope="openid").json["error"] == "unauthorized_client"


def test_policies_are_limited_like_everything(sim: Sim, call: Caller) -> None:
    made = catalogue(sim)
    sim.org(rate_limit=1)
    call.okta("/api/v1/policies?type=ACCESS_POLICY", shape=POLICIES)
    for path, shape in (("/api/v1/policies?type=ACCESS_POLICY", POLICIES),
                        ("/api/v1/policies/" + made["policy"], POLICY),
                        ("/api/v1/zones", ZONES)):
        reply = call.okta(path, shape=shape)
        assert reply.status == 429 and reply.json["errorCode"] == "E0000047"


def test_a_simulation_names_the_rule(sim: Sim, call: Caller) -> None:
    """The first that holds; of what is not supposed, nothing is decided."""
    made, simulate = catalogue(sim), "/api/v1/policies/simulate"

    def asked(**supposed: Any) -> Any:
        reply = call.okta(simulate, "POST", [{
            "appInstance": made["app"], "policyTypes": ["ACCESS_POLICY"],
            "policyContext": {"groups": {"ids": [made["group"]]}, **supposed}}], shape=simulate)
        assert reply.status == 200
        return reply.json[0]

    managed = {"platform": "IOS", "registered": True, "managed": True}
    rules = call.okta(f"/api/v1/policies/{made['policy']}/rules").json
    names = {r["id"]: r["name"] for r in rules}
    for device, ip, name in ((managed, "1.2.3.77", "Office"),
                             ({**managed, "managed": False}, "1.2.3.77", "Catch-all Rule"),
                             (managed, "203.0.113.1", "Catch-all Rule")):
        policy, = asked(device=device, ip=ip)["result"]["policies"]
        assert [names[r["id"]] for r in policy["rules"]] == [name]
    assert asked(device=managed)["undefined"]["policies"][0]["rules"][0]["status"] == "UNDEFINED"
    for wrong in ({"user": {"id": "x"}}, {"device": {"managed": "yes"}}):
        reply = call.okta(simulate, "POST", [{
            "appInstance": made["app"], "policyTypes": ["ACCESS_POLICY"],
            "policyContext": {"groups": {"ids": []}, **wrong}}])
        assert reply.status == 400


def test_what_makes_no_policy_is_refused(sim: Sim) -> None:
    for values in ({"type": "PASSWORD", "name": "x"}, {"name": "x"},
                   {"type": "ACCESS_POLICY", "name": "x", "apps": ["0oa000"]}):
        with pytest.raises(SimFailed):
            sim.add_policy(**values)
    with pytest.raises(SimFailed):
        sim.add_zone(name="x", type="V6")


def test_the_validator_finds_what_is_wrong(specs: dict[str, Spec]) -> None:
    if not specs:
        pytest.skip("set DEVTRUST_SPECS to the folder of the OpenAPI subsets")
    okta, graph = specs["okta"], specs["graph"]
    for shape, method, status, body in (
            (USER, "GET", 200, {"status": "HAPPY"}), (USER, "GET", 200, {"created": "yesterday"}),
            (USER, "GET", 404, {"errorCode": 7}), (FACTORS, "GET", 200, [{"factorType": "x"}]),
            (FACTORS, "GET", 200, {}), (VERIFY, "POST", 200, {"factorResult": "WAITING"}),
            (VERIFY, "POST", 201, {"factorResult": "SUCCESS"}),
            (TRANSACTION, "GET", 200, {"factorResult": "WAITING", "_links": {"poll": {}}}),
            (TRANSACTION, "GET", 200, {"factorResult": "MAYBE"})):
        assert okta.errors(shape, method, status, body) != []
    for shape, method, status, body in (
            (DEVICE, "GET", 200, {"complianceState": "Compliant"}),
            (DEVICE, "GET", 200, {"isEncrypted": None}),
            (DEVICE, "GET", 404, {"error": {"message": "x"}}),
            (TOKEN, "POST", 200, {"token_type": "Bearer"})):
        assert graph.errors(shape, method, status, body) != []


def test_every_answer_was_held_against_its_description(specs: dict[str, Spec],
                                                       request: pytest.FixtureRequest) -> None:
    """Comes last in this file: by now every endpoint has answered well and badly."""
    if not specs:
        pytest.skip("set DEVTRUST_SPECS to the folder of the OpenAPI subsets")
    if len({i.function for i in request.session.items if i.fspath == request.fspath}) < 50:
        pytest.skip("only some of the tests were asked for")
    groups = "/api/v1/users/{id}/groups"
    assert {("GET", USER, 200), ("GET", USER, 404), ("GET", USER, 429), ("GET", groups, 200),
            ("GET", FACTORS, 200), ("GET", FACTORS, 404), ("GET", FACTORS + "/{factorId}", 200),
            ("POST", VERIFY, 200), ("POST", VERIFY, 201), ("POST", VERIFY, 400),
            ("POST", VERIFY, 403), ("POST", VERIFY, 404), ("POST", VERIFY, 429),
            ("GET", TRANSACTION, 200), ("GET", TRANSACTION, 404), ("GET", POLICIES, 200),
            ("GET", POLICIES, 429), ("GET", POLICY, 200), ("GET", POLICY, 404),
            ("GET", POLICY + "/rules", 200), ("GET", POLICY + "/mappings", 200),
            ("GET", ZONES, 200), ("GET", USER_DEVICES, 200), ("GET", OKTA_DEVICE, 200),
            ("GET", DEVICE_USERS, 200), ("GET", DEVICE_USERS, 404)} <= specs["okta"].used
    assert {("POST", TOKEN, 200), ("POST", TOKEN, 400), ("POST", TOKEN, 401),
            ("GET", DEVICE, 200), ("GET", DEVICE, 400), ("GET", DEVICE, 401),
            ("GET", DEVICE, 404), ("GET", DEVICES, 200), ("GET", DEVICES, 400),
            ("GET", DEVICES, 429)} <= specs["graph"].used


def test_direct_authentication(sim: Sim, call: Caller) -> None:
    """The password, a push with a number, another transaction's code, and by the native app alone;
    in the shapes of the description."""
    mfa = "http://auth0.com/oauth/grant-type/mfa-"

    def post(name: str, **form: str) -> Reply:
        path = "/oauth2/v1/" + name
        reply = call.send(sim.okta_url + path, "POST",
                          urlencode({"client_id": sim.okta_native_client_id, **form}).encode(),
                          {"Content-Type": "application/x-www-form-urlencoded",
                           "Accept": "application/json"})
        if call.specs:
            assert call.specs["oauth"].errors(path, "POST", reply.status, reply.json) == []
        return reply

    def token(grant: str, **form: str) -> Reply:
        return post("token", grant_type=grant, scope="openid profile", **form)

    def begin() -> tuple[str, Any]:
        refused = token("password", username="ann@example.com", password="right")
        assert (refused.status, refused.json["error"]) == (403, "mfa_required")
        made = post("challenge", mfa_token=refused.json["mfa_token"], channel_hint="push",
                    challenge_types_supported=mfa + "oob")
        return refused.json["mfa_token"], made.json

    sim.org(authn_per_second=0, direct_interval=1.0, force_number_challenge=True)
    user = sim.add_user("ann@example.com", factors=["push"])
    sim.set_user("ann@example.com", password="right")
    assert token("password", username="ann@example.com", password="x").json["error"] \
        == "invalid_grant"
    secret, made = begin()
    assert made["binding_method"] == "transfer" and made["binding_code"].isdigit()
    poll = {"mfa_token": secret, "oob_code": made["oob_code"]}
    assert token(mfa + "oob", **poll).json["error"] == "authorization_pending"
    assert token(mfa + "oob", **poll).json["error"] == "slow_down"
    other, _ = begin()
    assert token(mfa + "oob", **{**poll, "mfa_token": other}).json["error"] == "invalid_request"
    first = post("primary-authenticate", login_hint="ann@example.com", channel_hint="push",
                 challenge_hint="urn:okta:params:oauth:grant-type:oob").json
    sim.set_push("ann@example.com", "manual")
    sim.approve("ann@example.com")
    done = token("urn:okta:params:oauth:grant-type:oob", oob_code=first["oob_code"])
    claims = jwt.decode(done.json["id_token"], options={"verify_signature": False})
    assert claims["sub"] == user["id"]
    assert token("urn:okta:params:oauth:grant-type:oob",
                 oob_code=first["oob_code"]).json["error"] == "invalid_grant"
    assert post("primary-authenticate", client_id="0oaother").json["error"] == "invalid_client"
