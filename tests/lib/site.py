# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a complete devtrust configuration directory for a test: devtrust.conf, policies, CA files,
# tokens, keys, store, audit log. Every test with a real server starts from one of these.
"""A site: everything a devtrust installation reads, in one directory, for a simulated world."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Union

from tests.pki import authority as ca
from tests.sim.client import Sim

NOT_TRUSTED_RULE = "Device Trust = Not Trusted. Check for MFA."
TRUSTED_RULE = "Device Trust = Trusted. No need to check for MFA."
CATCH_ALL_RULE = "Everything else is denied."

Settings = Mapping[str, Mapping[str, Any]]


def rule(name: str, priority: int, trust: str = "ANY", access: str = "ALLOW",
         frequency: Optional[str] = None, factors: Iterable[str] = (),
         **conditions: Any) -> dict[str, Any]:
    """One rule of a policy; `frequency` asks for a factor; other conditions by their own names."""
    made: dict[str, Any] = {"name": name, "priority": priority, "status": "ACTIVE",
                            "conditions": {"device": {"trust": trust}, **conditions},
                            "actions": {"appSignOn": {"access": access}}}
    if frequency:
        prompt: dict[str, Any] = {"frequency": frequency}
        if factors:
            prompt["factors"] = list(factors)
        made["actions"]["appSignOn"]["promptForFactor"] = prompt
    return made


def catch_all(priority: int = 99) -> dict[str, Any]:
    return {"name": CATCH_ALL_RULE, "priority": priority, "status": "ACTIVE", "conditions": {},
            "actions": {"appSignOn": {"access": "DENY"}}}


def guide_policy(application: str, frequency: str = "EVERY_SIGN_ON",
                 factors: Iterable[str] = ("push", "token:software:totp")) -> dict[str, Any]:
    """Trusted: in. Not trusted: in after MFA. The rest: denied."""
    return {"name": application, "application": application,
            "rules": [rule(TRUSTED_RULE, 1, "TRUSTED"),
                      rule(NOT_TRUSTED_RULE, 2, "NOT_TRUSTED", frequency=frequency,
                           factors=factors),
                      catch_all()]}


def _write(path: Path, text: Union[str, bytes], mode: int = 0o644) -> str:
    content = text.encode() if isinstance(text, str) else text
    return str(ca.write_file(path, content, mode))


# Intune's other service, where the simulation has it.
BY_COMPLIANCE = {"intune": {"service": "compliance-retrieval", "compliance_host": "127.0.0.1",
                            "compliance_resource": "https://api.manage.microsoft.com"}}

HEAD_BYTES = 300  # of an audit log: the time and the id of its first event are among them


class AuditLog:
    """The events of an audit log; each line is parsed once, however often they are looked at."""

    def __init__(self) -> None:
        self._start_over(b"", Path())

    def _start_over(self, head: bytes, path: Path) -> None:
        self._head, self._path = head, path  # tell another log from one that grew
        self._read = 0
        self._events: list[dict[str, Any]] = []

    def events(self, path: Path) -> list[dict[str, Any]]:
        """Those of all whole lines so far."""
        try:
            log = path.open("rb")
        except FileNotFoundError:
            self._start_over(b"", path)
            return self._events
        with log:
            head = log.read(HEAD_BYTES)
            if (path != self._path or not head.startswith(self._head)
                    or os.fstat(log.fileno()).st_size < self._read):
                self._start_over(head, path)
            self._head = head
            log.seek(self._read)
            new = log.read()
        new = new[:new.rfind(b"\n") + 1]
        self._events += [json.loads(line) for line in new.splitlines()]
        self._read += len(new)
        return self._events


class Site:
    """The files of one installation and what it left in its audit log.

    `world` is the running simulation (tests.sim.client.Sim), `pki` the index of the test PKI; both
    must speak of the same tenant.
    """

    def __init__(self, directory: Union[Path, str], world: Sim, pki: Mapping[str, Any],
                 *, applications: Iterable[str] = ("vpn", "wifi"),
                 policies: Optional[Iterable[Mapping[str, Any]]] = None,
                 settings: Optional[Settings] = None) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        os.chmod(self.directory, 0o755)
        self.world = world
        self.pki = pki
        self.config_path = self.directory / "devtrust.conf"
        self.policy_directory = self.directory / "policies"
        self.audit_path = self.directory / "audit.log"
        self.store_path = self.directory / "state" / "state.db"
        self.socket_path = self.directory / "devtrustd.sock"
        self.okta_token_path = self.directory / "okta.token"
        self.state_key_path = self.directory / "state.key"
        self.graph_certificate = self.directory / "graph.pem"
        self.graph_key = self.directory / "graph.key"
        self._log = AuditLog()
        self._write_secrets()
        for policy in policies or [guide_policy(a) for a in applications]:
            self.set_policy(policy)
        self.settings = self._defaults()
        self.configure(settings or {})

    # --- files -------------------------------------------------------------------------------

    def _write_secrets(self) -> None:
        self.store_path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(self.okta_token_path, Path(self.world.okta_token_file).read_bytes(), 0o600)
        _write(self.state_key_path, secrets.token_bytes(32), 0o600)
        _write(self.graph_certificate, Path(self.world.certificate_file).read_bytes())
        _write(self.graph_key, Path(self.world.key_file).read_bytes(), 0o600)
        for name in ("company_ca", "shared_ca"):
            shutil.copy(self.pki["authorities"][name], self.directory / (name + ".pem"))

    def _defaults(self) -> dict[str, dict[str, Any]]:
        tenant = self.world.tenant_id
        return {
            "okta": {"org_url": self.world.okta_url, "api_token_file": self.okta_token_path,
                     "ca_file": self.world.ca_file,
                     "timeout": "5s", "poll_interval": "250ms"},
            "user_name": {"login_suffix": "@example.com"},
            "intune": {"tenant_id": tenant, "client_id": self.world.client_id,
                       "certificate_file": self.graph_certificate, "key_file": self.graph_key,
                       "login_url": self.world.login_url,
                       "graph_url": self.world.graph_url,
                       "ca_file": self.world.ca_file, "timeout": "5s"},
            "device_trust": {"trusted_when": "certificate+intune, ssh-key+intune",
                             "ca_file": self.directory / "company_ca.pem",
                             "shared_ca_file": self.directory / "shared_ca.pem",
                             "cache_ttl": "15m", "negative_ttl": "1s", "stale_limit": "24h"},
            "policy": {"directory": self.policy_directory, "unknown_device_as": "not_trusted"},
            "mfa": {"wait_vpn": "20s", "wait_wifi": "15s", "wait_pam": "20s"},
            "store": {"path": self.store_path, "state_key_file": self.state_key_path},
            "audit": {"file": self.audit_path, "syslog": "no"},
            "daemon": {"socket": self.socket_path},
            # Tests count calls: open sessions are looked at again where a test is about that.
            "sessions": {"recheck": "0s"},
        }

    def configure(self, settings: Settings) -> None:
        """Lays `settings` (section -> key -> value; None takes a key away) over what was there."""
        for section, values in settings.items():
            merged = {**self.settings.get(section, {}), **values}
            self.settings[section] = {k: v for k, v in merged.items() if v is not None}
        lines = []
        for section, values in self.settings.items():
            lines.append(f"[{section}]")
            lines.extend(f"{key} = {value}" for key, value in values.items())
            lines.append("")
        _write(self.config_path, "\n".join(lines))

    def set_policy(self, policy: Mapping[str, Any]) -> None:
        path = self.policy_directory / (policy["application"] + ".json")
        _write(path, json.dumps(policy, indent=2) + "\n")

    def chown(self, uid: int, gid: int) -> None:
        """Gives what the service writes or must keep secret to its own user."""
        for path in (self.store_path.parent, self.okta_token_path, self.state_key_path,
                     self.graph_key):
            os.chown(path, uid, gid)

    # --- the audit log -----------------------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """All audit events so far; a line that is not whole JSON fails the test."""
        return list(self._log.events(self.audit_path))

    def sign_ons(self, user: Optional[str] = None) -> list[dict[str, Any]]:
        """The outcome events; not those of device authentication, configuration or sessions."""
        others = ("Authentication of device", "Reload of", "Session no longer")
        return [e for e in self.events()
                if not e["displayMessage"].startswith(others)
                and (user is None or user in (e["actor"].get("alternateId"),
                                              e["actor"].get("displayName")))]

    def reloads(self, result: str = "") -> list[dict[str, Any]]:
        """What became of changes to the configuration: SUCCESS, FAILURE, or both."""
        return [e for e in self._log.events(self.audit_path)
                if e["displayMessage"].startswith("Reload of")
                and result in ("", e["outcome"]["result"])]

    def wait_reload(self, result: str, count: int = 1) -> dict[str, Any]:
        """The `count`th event of that result."""
        deadline = time.monotonic() + 30
        while len(self.reloads(result)) < count:
            assert time.monotonic() < deadline, f"no reload ended {result}: {self.reloads()}"
            time.sleep(0.02)
        return self.reloads(result)[count - 1]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool],
                 timeout: float = 20.0) -> dict[str, Any]:
        """The first event that is wanted; events are written a moment after the answer."""
        deadline = time.monotonic() + timeout
        while True:
            events = self.events()
            for event in events:
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                raise AssertionError("no such audit event among:\n"
                                     + "\n".join(json.dumps(e) for e in events))
            time.sleep(0.02)
