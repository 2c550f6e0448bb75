# SPDX-License-Identifier: GPL-2.0-or-later
# How tests and the demo start the simulation and tell it what happens next.
#
# Standard library only, synchronous, one short connection per call: it runs inside pytest next to
# real servers and must not bring an event loop of its own.
"""Client of the simulation's control API."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import quote, urlencode, urlsplit

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0  # seconds; generous, a loaded machine makes RSA keys slowly
STOP_LIMIT = 20.0
CALL_LIMIT = 150.0


class SimFailed(Exception):
    """The simulation did not start, or refused what was asked of it."""


class Sim:
    """A running simulation."""

    def __init__(self, directory: Union[str, Path], info: dict[str, Any],
                 process: Optional["subprocess.Popen[bytes]"] = None) -> None:
        self.directory = Path(directory)
        self.process = process
        self.pid: int = info["pid"]
        self.okta_url: str = info["okta_url"]
        self.login_url: str = info["login_url"]
        self.graph_url: str = info["graph_url"]
        self.compliance_url: str = info["compliance_url"]
        self.control_url: str = info["control_url"]
        self.ca_file: str = info["ca_file"]
        self.okta_token_file: str = info["okta_token_file"]
        self.tenant_id: str = info["tenant_id"]
        self.client_id: str = info["client_id"]
        self.certificate_file: str = info["certificate_file"]
        self.key_file: str = info["key_file"]
        self.client_secret_file: str = info["client_secret_file"]
        self.okta_client_id: str = info["okta_client_id"]
        self.okta_native_client_id: str = info["okta_native_client_id"]
        self.okta_keys: dict[str, str] = info["okta_keys"]  # kid -> file

    # --- life --------------------------------------------------------------------------------

    @classmethod
    def start(cls, directory: Union[str, Path], *, keep: bool = False,
              tenant: Optional[str] = None, arguments: tuple[str, ...] = ()) -> "Sim":
        """Starts one in `directory` and waits until it answers. It ends with this process (with
        the thread that calls this, says prctl(2)), unless `keep`."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "sim.json").unlink(missing_ok=True)
        command = ["/usr/bin/python3", str(ROOT / "tests" / "sim" / "__main__.py"),
                   "--dir", str(directory), *arguments]
        command += ["--tenant", tenant] if tenant else []
        command += [] if keep else ["--parent", str(os.getpid())]
        with open(directory / "sim.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       cwd=ROOT, start_new_session=keep)
        deadline = time.monotonic() + START_LIMIT
        while not (directory / "sim.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise SimFailed((directory / "sim.log").read_text(errors="replace"))
            time.sleep(0.02)
        sim = cls.attach(directory)
        sim.process = process
        return sim

    @classmethod
    def attach(cls, directory: Union[str, Path]) -> "Sim":
        """The one that runs in `directory` already."""
        text = (Path(directory) / "sim.json").read_text()
        sim = cls(directory, json.loads(text))
        sim.call("GET", "/health")
        return sim

    def stop(self) -> None:
        """Ends it, by its process id, and waits until it has gone."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            return
        deadline = time.monotonic() + STOP_LIMIT
        try:
            os.kill(self.pid, signal.SIGTERM)
            while time.monotonic() < deadline:
                os.kill(self.pid, 0)
                time.sleep(0.02)
        except ProcessLookupError:
            pass

    def __enter__(self) -> "Sim":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, method: str, path: str, body: Optional[dict[str, Any]] = None) -> Any:
        """One call of the control API; SimFailed when it was refused."""
        address = urlsplit(self.control_url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port,
                                                timeout=CALL_LIMIT)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise SimFailed(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text)

    def reset(self) -> None:
        """An empty org and tenant, no faults, no counters, every listener up."""
        self.call("POST", "/reset")

    def org(self, **switches: Any) -> dict[str, Any]:
        """Changes switches of the org (state.Org); gives all of them."""
        return self.call("PUT", "/org", switches)

    # --- people ------------------------------------------------------------------------------

    @staticmethod
    def _user(login: str) -> str:
        return "/users/" + quote(login, safe="")

    def add_user(self, login: str, *, status: str = "ACTIVE",
                 groups: tuple[str, ...] = ("Everyone",), factors: tuple[str, ...] = (),
                 push: Optional[str] = None, after: float = 0.0,
                 apps: Optional[dict[str, str]] = None) -> dict[str, Any]:
        """Creates a person with one factor of each type in `factors`."""
        values: dict[str, Any] = {"status": status, "groups": list(groups), "apps": apps or {}}
        if push is not None:
            values["push"] = {"mode": push, "after": after}
        self.call("PUT", self._user(login), values)
        for kind in factors:
            self.add_factor(login, kind)
        return self.user(login)

    def user(self, login: str) -> dict[str, Any]:
        return self.call("GET", self._user(login))

    def set_user(self, login: str, **values: Any) -> dict[str, Any]:
        """status, groups, password, authn_status (what a right password gets), authn_after_mfa
        (what a right factor gets in its transaction), apps (id: status)."""
        return self.call("PUT", self._user(login), values)

    def authn(self) -> dict[str, Any]:
        """open (logins whose transaction is open), forwarded_for (of every call)."""
        return self.call("GET", "/authn")

    def remove_user(self, login: str) -> None:
        self.call("DELETE", self._user(login))

    def add_factor(self, login: str, kind: str, **values: Any) -> dict[str, Any]:
        """type push, token:software:totp (with `secret`), sms, ...; gives id and secret."""
        return self.call("POST", self._user(login) + "/factors", {"type": kind, **values})

    def set_factor(self, login: str, factor: str, **values: Any) -> dict[str, Any]:
        return self.call("PUT", f"{self._user(login)}/factors/{factor}", values)

    def remove_factor(self, login: str, factor: str) -> None:
        self.call("DELETE", f"{self._user(login)}/factors/{factor}")

    def passcode(self, login: str) -> str:
        """A passcode that is right and was not used."""
        return self.call("GET", self._user(login) + "/passcode")["passcode"]

    def code(self, login: str, kind: str) -> str:
        """The code that was sent last, the answer to the question, or what the token shows."""
        return self.call("GET", f"{self._user(login)}/passcode?type={quote(kind)}")["passcode"]

    def messages(self, login: str, kind: str) -> int:
        """How many codes were sent."""
        return self.call("GET", f"{self._user(login)}/passcode?type={quote(kind)}")["messages"]

    # --- pushes ------------------------------------------------------------------------------

    def set_push(self, login: str, mode: str, after: float = 0.0) -> None:
        """manual, approve, deny, timeout, ignore, other_factor; acts `after` seconds."""
        self.call("PUT", self._user(login) + "/push", {"mode": mode, "after": after})

    def pushes(self, login: str = "", result: str = "") -> list[dict[str, Any]]:
        return self.call("GET", "/pushes?" + urlencode({"user": login, "result": result}))

    def wait_push(self, login: str = "", *, count: int = 1, timeout: float = 60.0,
                  result: str = "WAITING") -> list[dict[str, Any]]:
        """Waits until that many pushes are there; SimFailed when they do not come."""
        query = {"user": login, "result": result, "count": count, "wait": timeout}
        found = self.call("GET", "/pushes?" + urlencode(query))
        if len(found) < count:
            raise SimFailed(f"{len(found)} of {count} pushes for {login or 'all'}")
        return found

    def approve(self, login: str, *, wait: float = 30.0, number: Optional[int] = None,
                factor: str = "") -> list[dict[str, Any]]:
        """The person approves what is pending; a wrong `number` denies it, as Okta Verify does."""
        return self._answer(login, "approve", wait, number, factor)

    def deny(self, login: str, *, wait: float = 30.0, factor: str = "") -> list[dict[str, Any]]:
        return self._answer(login, "deny", wait, None, factor)

    def _answer(self, login: str, answer: str, wait: float, number: Optional[int],
                factor: str) -> list[dict[str, Any]]:
        return self.call("POST", "/pushes/answer", {
            "user": login, "answer": answer, "wait": wait, "number": number, "factor": factor})

    # --- signing in with a browser -----------------------------------------------------------

    def sign_in(self, login: str, *, code: str = "", answer: str = "approve", wait: float = 30.0,
                **values: Any) -> None:
        """Somebody enters the code (without one, that which was given out last): amr, age (seconds
        since they authenticated), claims, alg, id_token (False: none is given)."""
        self.call("POST", "/grants/answer", {"user": login, "answer": answer, "code": code,
                                             "wait": wait, **values})

    def grants(self) -> list[dict[str, Any]]:
        """All codes that were given out: user_code, open, polls, hurried, answer, login."""
        return self.call("GET", "/grants")

    # --- policies, zones, applications, groups -----------------------------------------------

    def add_policy(self, **members: Any) -> str:
        """Puts a policy in place of that of the same id: its members as Okta has them (type,
        name), `rules` and `apps` (ids); gives its id."""
        return self.call("POST", "/policies", members)["id"]

    def add_zone(self, **members: Any) -> str:
        return self.call("POST", "/zones", members)["id"]

    def add_app(self, **members: Any) -> str:
        """label, groups (that are assigned to it); gives the id."""
        return self.call("POST", "/apps", members)["id"]

    def group_id(self, name: str) -> str:
        """The id of a group, which is made when it is not there."""
        return self.call("PUT", "/groups/" + quote(name, safe=""))["id"]

    def add_group(self, name: str, kind: str = "APP_GROUP") -> str:
        """One more group of a name that another may have; its id, by which people are put in."""
        return self.call("POST", "/groups", {"name": name, "type": kind})["id"]

    # --- devices -----------------------------------------------------------------------------

    def enrol_device(self, device_id: Optional[str] = None, *, compliance: str = "compliant",
                     user: Optional[str] = None, **fields: Any) -> dict[str, Any]:
        """Enrols by Intune id; `fields` are members of managedDevice (lastSyncDateTime, ...)."""
        if user is not None:
            fields["userPrincipalName"] = user
        return self.set_device(device_id or str(uuid.uuid4()), complianceState=compliance,
                               **fields)

    def set_device(self, device_id: str, **fields: Any) -> dict[str, Any]:
        return self.call("PUT", f"/devices/{device_id}", fields)

    def enrol_fleet(self, count: int) -> int:
        """Enrols that many devices at once; says how many there are now."""
        return self.call("POST", "/fleet", {"count": count})["count"]

    def make_noncompliant(self, device_id: str) -> None:
        self.set_device(device_id, complianceState="noncompliant")

    def make_compliant(self, device_id: str) -> None:
        self.set_device(device_id, complianceState="compliant")

    def remove_device(self, device_id: str) -> None:
        self.call("DELETE", f"/devices/{device_id}")

    def set_okta_device(self, device: str, *, status: Optional[str] = None,
                        users: Optional[dict[str, str]] = None, **profile: Any) -> dict[str, Any]:
        """A device as Okta's Devices API has it; `users`: login -> managementStatus."""
        values: dict[str, Any] = {"profile": profile}
        if status is not None:
            values["status"] = status
        if users is not None:
            values["users"] = users
        return self.call("PUT", f"/okta-devices/{device}", values)

    def remove_okta_device(self, device: str) -> None:
        self.call("DELETE", f"/okta-devices/{device}")

    def revoke_tokens(self) -> int:
        """Graph forgets every access token it gave; says how many."""
        return self.call("POST", "/tokens/revoke")["revoked"]

    # --- faults and counters -----------------------------------------------------------------

    def fault(self, kind: str, **values: Any) -> int:
        """Sets a fault (README.md lists them); gives its id."""
        return self.call("POST", "/faults", {"kind": kind, **values})["id"]

    def faults(self) -> list[dict[str, Any]]:
        return self.call("GET", "/faults")

    def clear_fault(self, identifier: int) -> None:
        self.call("DELETE", f"/faults/{identifier}")

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def listener(self, which: str, state: str = "up", certificate: str = "good") -> None:
        """okta, login, graph or compliance; up, down or silent; good, or one of
        tests.pki.tls.BAD."""
        self.call("PUT", f"/listeners/{which}", {"state": state, "certificate": certificate})

    def requests(self, endpoint: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        query = urlencode({"endpoint": endpoint, "limit": limit})
        return self.call("GET", "/requests?" + query)["requests"]

    def statistics(self) -> dict[str, Any]:
        """counters, connections, in_flight, peak_in_flight."""
        return self.call("GET", "/requests?limit=0")

    def count(self, name: str) -> int:
        """okta.total, okta.verify, okta.poll, okta.cancel, login.token, graph.device, ..."""
        return self.statistics()["counters"].get(name, 0)

    def reset_requests(self) -> None:
        self.call("DELETE", "/requests")


if __name__ == "__main__":
    sys.exit("a library: see tests/sim/README.md")
