# SPDX-License-Identifier: GPL-2.0-or-later
# What the simulated world knows: people and their factors, pushes under way, devices, tokens.
#
# No HTTP in here. Pushes need no timers: what has become of one is worked out whenever somebody
# asks, from when it was sent and from what its person was going to do.
"""The state of the simulated Okta org and Intune tenant."""

from __future__ import annotations

import collections
import copy
import secrets
import string
import time
import uuid
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, Iterable, Optional

from tests.sim import totp

ALPHABET = string.ascii_letters + string.digits
PUSHES_MAX = 100_000  # kept; the oldest are forgotten first
REQUESTS_MAX = 200_000

USER_STATUSES = ("ACTIVE", "DEPROVISIONED", "LOCKED_OUT", "PASSWORD_EXPIRED", "PROVISIONED",
                 "RECOVERY", "STAGED", "SUSPENDED")
# What POST /api/v1/authn can say to a right password.
AUTHN_STATUSES = ("SUCCESS", "MFA_REQUIRED", "MFA_CHALLENGE", "MFA_ENROLL", "MFA_ENROLL_ACTIVATE",
                  "PASSWORD_WARN", "PASSWORD_EXPIRED", "PASSWORD_RESET", "RECOVERY",
                  "RECOVERY_CHALLENGE", "UNAUTHENTICATED")
FACTOR_STATUSES = ("ACTIVE", "DISABLED", "ENROLLED", "EXPIRED", "INACTIVE", "NOT_SETUP",
                   "PENDING_ACTIVATION")
# factorType -> prefix of the ids, provider
FACTOR_TYPES = {
    "push": ("opf", "OKTA"), "token:software:totp": ("ost", "OKTA"), "sms": ("sms", "OKTA"),
    "call": ("clf", "OKTA"), "email": ("emf", "OKTA"), "question": ("ufs", "OKTA"),
    "token": ("rsa", "RSA"), "token:hardware": ("ykf", "YUBICO"),
    "token:hotp": ("chf", "CUSTOM"), "u2f": ("fuf", "FIDO"), "webauthn": ("fwf", "FIDO"),
    "web": ("duo", "DUO"), "signed_nonce": ("sgn", "OKTA"),
}
MODHEX = "cbdefghijklnrtuv"  # what a YubiKey types
PUSH_MODES = ("manual", "approve", "deny", "timeout", "ignore", "other_factor")

COMPLIANCE_STATES = ("unknown", "compliant", "noncompliant", "conflict", "error", "inGracePeriod",
                     "configManager")
MANAGEMENT_STATES = ("managed", "retirePending", "retireFailed", "wipePending", "wipeFailed",
                     "unhealthy", "deletePending", "retireIssued", "wipeIssued", "wipeCanceled",
                     "retireCanceled", "discovered", "unknownFutureValue")

OKTA_DEVICE_STATUSES = ("ACTIVE", "CREATED", "DEACTIVATED", "SUSPENDED", "UNSUSPENDED")
OKTA_DEVICE_PLATFORMS = ("ANDROID", "IOS", "MACOS", "WINDOWS")
MANAGEMENT_STATUSES = ("MANAGED", "NOT_MANAGED")

POLICY_TYPES = {"ACCESS_POLICY": "ACCESS_POLICY", "OKTA_SIGN_ON": "SIGN_ON"}
ZONE_TYPES = ("IP", "DYNAMIC", "DYNAMIC_V2")


class SimError(Exception):
    """What a test asked for does not make sense; shown to it as is."""


def new_id(prefix: str, length: int = 20) -> str:
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length - len(prefix)))


def okta_time(seconds: float) -> str:
    """YYYY-MM-DDTHH:mm:ss.SSSZ."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def graph_time(seconds: float) -> str:
    """Edm.DateTimeOffset without a fraction."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Org:
    """Switches that change how the simulated services behave."""

    force_number_challenge: bool = False  # a number challenge with every push
    number_after_polls: int = 0  # polls before correctAnswer shows up; 0 = in the first reply
    push_lifetime: float = 300.0  # seconds until an unanswered push times out
    strict_transaction_ids: bool = False  # the first reply's transaction id serves one poll only
    groups_page_size: int = 200
    policies_page_size: int = 200  # of policies, rules, mappings, zones, applications
    link_access_policy: bool = True  # applications link to their ACCESS_POLICY
    simulation_as_in_examples: bool = False  # {"evaluation": [...]}, as the examples have it
    devices_page_size: int = 100
    empty_first_page: bool = False  # a page without devices that has a next link all the same
    totp_window: int = 1  # steps of 30 s before and after the present that are taken
    totp_errors_as_result: bool = False  # replay and skew as factorResult of a 200, not as a 403
    message_pause: float = 0.0  # no second message to a person within so many seconds; Okta: 30
    lock_after: int = 0  # wrong passcodes in a row that lock a person out; 0 = never
    password_lock_after: int = 0  # wrong passwords in a row that lock a person out; 0 = never
    show_lockouts: bool = False  # LOCKED_OUT instead of a 401
    authn_per_second: int = 4  # of one user name; 0 = no limit
    rate_limit: int = 100_000  # Okta requests per minute
    date_skew: float = 0.0  # seconds by which Okta's clock is ahead
    okta_token_valid: bool = True
    oauth_scopes: str = "okta.users.read okta.users.manage"  # that the service app was granted
    grant_types: str = "authorization_code urn:ietf:params:oauth:grant-type:device_code"
    issuer: str = ""  # what the metadata say instead of the org's address
    oauth_admin_role: bool = True  # else 403 from every call of the app
    oauth_kids: str = "rsa"  # the app's active keys: rsa, ec, next
    oauth_token_lifetime: int = 3600
    oauth_token_bytes: int = 48  # of randomness in a token, which makes it long
    oauth_dpop: bool = False  # the app's tokens are bound to a key
    oauth_token_nonce: bool = True  # the token endpoint wants a nonce in the proof
    oauth_api_nonce: bool = False  # so does every other one
    oauth_nonce_number: int = 1  # another number, another nonce; the former ones no longer count
    oauth_outside_zone: bool = False  # 403 access_denied
    native_device_grant: bool = True  # the native app may use the Device Authorization Grant
    device_interval: float = 5.0  # seconds between two polls with a device code
    device_lifetime: float = 600.0  # seconds
    direct_grants: str = "password otp oob mfa-otp mfa-oob"  # that the native app may use
    direct_password_mfa: bool = True  # a right password wants MFA; else it gets tokens
    direct_interval: float = 5.0  # seconds between two polls with an oob_code
    direct_id_token: str = ""  # missing, other, audience, expired, unsigned, password: what is odd
    okta_token_reads_devices: bool = True  # else 403 from the Devices API
    okta_devices_page_size: int = 200  # of a person's devices, of a device's people
    token_lifetime: int = 3599  # seconds, of Graph access tokens
    assertion_alg: str = "PS256"  # PS256, RS256 or any
    assertion_max_lifetime: int = 660  # seconds between iat and exp

    def change(self, values: dict[str, Any]) -> None:
        kinds = {f.name: type(getattr(self, f.name)) for f in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise SimError(f"no such switch: {name}")
            if kinds[name] is float and type(value) is int:
                value = float(value)
            if type(value) is not kinds[name]:
                raise SimError(f"{name} wants {kinds[name].__name__}, not {value!r}")
            if name == "assertion_alg" and value not in ("PS256", "RS256", "any"):
                raise SimError(f"assertion_alg: {value!r}")
            setattr(self, name, value)


@dataclass
class Factor:
    """One enrolled factor."""

    factor_type: str
    id: str
    provider: str
    status: str = "ACTIVE"
    profile: dict[str, Any] = field(default_factory=dict)
    secret: str = ""  # of TOTP, HOTP; a question's answer; what a token shows; a YubiKey's id
    code: str = ""  # that was sent last, until it is used
    sent: float = 0.0  # when
    messages: int = 0  # that were sent
    counter: int = 0  # the next passcode of token:hotp; touches of a YubiKey
    used: set[str] = field(default_factory=set)  # passcodes of a YubiKey
    last_step: int = -1  # newest time step whose passcode was used
    steps_ahead: int = 0  # of its clock, before the world's: nobody waits for the next passcode
    created: float = field(default_factory=time.time)

    def present_step(self) -> int:
        """The time step of token:software:totp, as the app and Okta count it."""
        return totp.step_of(time.time()) + self.steps_ahead


@dataclass
class User:
    """One person of the org."""

    login: str
    id: str = field(default_factory=lambda: new_id("00u"))
    status: str = "ACTIVE"
    groups: list[str] = field(default_factory=lambda: ["Everyone"])
    factors: dict[str, Factor] = field(default_factory=dict)
    gone_factors: set[str] = field(default_factory=set)
    push_mode: str = "manual"
    push_after: float = 0.0
    wrong_codes: int = 0
    password: Optional[str] = None  # None: nobody knows one
    wrong_passwords: int = 0
    authn_status: str = "SUCCESS"  # what a right password gets
    authn_after_mfa: str = "SUCCESS"  # what a right answer in its transaction gets
    apps: dict[str, str] = field(default_factory=dict)  # assigned directly: id of the app, status
    pushes: list["Push"] = field(default_factory=list, repr=False)
    created: float = field(default_factory=time.time)


@dataclass
class Push:
    """One push transaction. Okta names it differently in the first reply and in the polls."""

    user: User
    factor: Factor
    expires: float
    number: Optional[int] = None
    id: str = field(default_factory=lambda: new_id("mst"))
    poll_id: str = field(default_factory=lambda: "v2mst." + secrets.token_urlsafe(16))
    mode: str = "manual"
    after: float = 0.0
    created: float = field(default_factory=time.time)
    polls: int = 0
    answer: str = ""  # APPROVED, DENIED, CANCELLED or "" while nobody answered
    decoy: Optional["Push"] = None  # mode other_factor: where the links lead after a while

    def result(self, now: float) -> str:
        """WAITING, SUCCESS, REJECTED, TIMEOUT or CANCELLED."""
        if self.answer:
            return {"APPROVED": "SUCCESS", "DENIED": "REJECTED"}.get(self.answer, self.answer)
        done = now >= self.created + self.after
        if done and self.mode in ("approve", "deny", "timeout"):
            return {"approve": "SUCCESS", "deny": "REJECTED", "timeout": "TIMEOUT"}[self.mode]
        return "TIMEOUT" if now >= self.expires else "WAITING"

    def number_shows(self, org: Org) -> bool:
        return self.number is not None and self.polls >= org.number_after_polls


@dataclass
class Policy:
    """One policy with its rules; `body` is what Okta would show of it."""

    body: dict[str, Any]
    rules: list[dict[str, Any]] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)  # ids


class Catalogue:
    """What the org has of policies, zones and applications, in the order in which it came."""

    def __init__(self) -> None:
        self.policies: dict[str, Policy] = {}
        self.zones: dict[str, dict[str, Any]] = {}
        self.apps: dict[str, dict[str, Any]] = {}
        self.app_groups: dict[str, list[str]] = {}

    def put_policy(self, values: dict[str, Any]) -> Policy:
        """`values` are the members of the policy, and `rules` and `apps` (ids) beside them."""
        body = copy.deepcopy(values)
        rules, apps = body.pop("rules", []), body.pop("apps", [])
        if body.get("type") not in POLICY_TYPES:
            raise SimError(f"type is one of {', '.join(POLICY_TYPES)}")
        unknown = [a for a in apps if a not in self.apps]
        if unknown:
            raise SimError(f"no app {unknown[0]}")
        moment = okta_time(time.time())
        whole = {"id": new_id("rst"), "status": "ACTIVE", "priority": 1, "system": False,
                 "conditions": None, "created": moment, "lastUpdated": moment, **body}
        policy = Policy(whole, [self._rule(whole, r) for r in rules], apps)
        self.policies[whole["id"]] = policy
        return policy

    @staticmethod
    def _rule(policy: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        moment = okta_time(time.time())
        made = {"id": new_id("rul"), "status": "ACTIVE", "system": False, "created": moment,
                "lastUpdated": moment, **values}
        if "type" not in made.get("actions", {}):  # where one of Okta's examples has it
            made.setdefault("type", POLICY_TYPES[policy["type"]])
        return made

    def put_zone(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("type") not in ZONE_TYPES:
            raise SimError(f"type is one of {', '.join(ZONE_TYPES)}")
        moment = okta_time(time.time())
        zone = {"id": new_id("nzo"), "status": "ACTIVE", "usage": "POLICY", "system": False,
                "created": moment, "lastUpdated": moment, **copy.deepcopy(values)}
        self.zones[zone["id"]] = zone
        return zone

    def put_app(self, values: dict[str, Any]) -> dict[str, Any]:
        """`groups`, by name, are assigned to it."""
        own = dict(values)
        groups = list(own.pop("groups", []))
        app = {"id": new_id("0oa"), "name": "radius", "label": "VPN", "status": "ACTIVE", **own}
        self.apps[app["id"]] = app
        self.app_groups[app["id"]] = groups
        return app

    def assignment(self, app: str, user: User) -> Optional[tuple[str, str]]:
        """Scope and status of the app's user; None for somebody who is not assigned."""
        if app in user.apps:
            return "USER", user.apps[app]
        if set(self.app_groups.get(app, [])) & set(user.groups):
            return "GROUP", "ACTIVE"
        return None

    def policy_of(self, app: str) -> Optional[str]:
        found = [key for key, policy in self.policies.items() if app in policy.apps]
        return found[0] if found else None


class World:
    """Everything the simulated services remember. One event loop uses it, so it needs no locks."""

    def __init__(self, okta_token: str, tenant: str) -> None:
        self.okta_token = okta_token
        self.tenant = tenant
        self.apps: dict[str, Any] = {}  # client id -> certificate
        self.client_secrets: dict[str, str] = {}
        self.okta_client = ""  # the service app
        self.native_client = ""  # the native app
        self.okta_keys: dict[str, Any] = {}  # kid -> public key
        self.assertion_thumbprints: set[str] = set()
        self.nonce_seed = ""
        self.compliance_url = ""  # of the Compliance Retrieval service, once it listens
        self.clear()

    def clear(self) -> None:
        """Back to an empty org and tenant; address, token and registered application stay."""
        self.org = Org()
        self.users: dict[str, User] = {}
        self.logins: dict[str, User] = {}
        self.group_ids: dict[str, str] = {}
        # Groups that share a name: they go by their id in the lists of people's groups.
        self.other_groups: dict[str, tuple[str, str]] = {}  # name, type
        self.pushes: dict[str, Push] = {}
        self.push_order: collections.deque[Push] = collections.deque()
        self.catalogue = Catalogue()
        self.devices: dict[str, dict[str, Any]] = {}
        self.okta_devices: dict[str, dict[str, Any]] = {}
        self.access_tokens: dict[str, tuple[float, str]] = {}  # expiry, scope
        self.okta_tokens: dict[str, Any] = {}
        self.used_jtis: dict[str, float] = {}
        self.rate_window: tuple[int, int] = (0, 0)
        self.authn_calls: dict[str, collections.deque[float]] = {}
        self.transactions: dict[str, str] = {}  # state token -> login, of those that are open
        self.transaction_pushes: dict[str, Push] = {}  # state token -> the push sent in it
        self.awaited: dict[str, str] = {}  # state token -> id of the factor that is waited for
        self.forwarded_for: list[str] = []  # of every authn call, and of every verify
        self.grants: dict[str, Any] = {}  # device code -> what became of it
        self.mfa_tokens: dict[str, tuple[str, float]] = {}  # login, since when
        self.out_of_band: dict[str, Any] = {}  # oob_code -> what became of it
        self.hurried = 0  # polls with an oob_code that came too soon

    # --- people ------------------------------------------------------------------------------

    def put_user(self, login: str, values: dict[str, Any]) -> User:
        """Creates or changes one person."""
        _only(values, ("id", "status", "groups", "push", "password", "authn_status",
                       "authn_after_mfa", "apps"))
        _one_of("authn_after_mfa", values.get("authn_after_mfa", "SUCCESS"), AUTHN_STATUSES)
        _one_of("authn_status", values.get("authn_status", "SUCCESS"), AUTHN_STATUSES)
        _one_of("status", values.get("status", "ACTIVE"), USER_STATUSES)
        user = self.logins.get(login.lower())
        if user is None:
            user = User(login=login, **({"id": values["id"]} if "id" in values else {}))
            if user.id in self.users:
                raise SimError(f"id {user.id} belongs to {self.users[user.id].login}")
            self.users[user.id] = self.logins[login.lower()] = user
        elif values.get("id", user.id) != user.id:
            raise SimError("an id never changes")
        user.status = values.get("status", user.status)
        user.apps = dict(values.get("apps", user.apps))
        user.groups = list(values.get("groups", user.groups))
        user.password = values.get("password", user.password)
        user.authn_status = values.get("authn_status", user.authn_status)
        user.authn_after_mfa = values.get("authn_after_mfa", user.authn_after_mfa)
        if "push" in values:
            self.set_push(user, values["push"])
        return user

    def set_push(self, user: User, values: dict[str, Any]) -> None:
        """What the person will do about pushes that are sent from now on."""
        _only(values, ("mode", "after"))
        user.push_mode = _one_of("mode", values.get("mode"), PUSH_MODES)
        user.push_after = float(values.get("after", 0.0))

    def remove_user(self, login: str) -> None:
        user = self.user(login)
        del self.users[user.id], self.logins[user.login.lower()]

    def user(self, login: str) -> User:
        """By login, as the tests name people."""
        if login.lower() not in self.logins:
            raise SimError(f"no user {login}")
        return self.logins[login.lower()]

    def find_user(self, key: str) -> Optional[User]:
        """By id, login, or a short login that is unambiguous."""
        found = self.users.get(key)
        if found is None and "/" not in key:
            found = self.logins.get(key.lower())
            if found is None and "@" not in key:
                short = [u for u in self.users.values()
                         if u.login.lower().partition("@")[0] == key.lower()]
                found = short[0] if len(short) == 1 else None
        return found

    def group_id(self, name: str) -> str:
        return self.group_ids.setdefault(name, new_id("00g"))

    def add_group(self, name: str, kind: str) -> str:
        """One more group, whether the name is there already or not."""
        made = new_id("00g")
        self.group_ids[made] = made
        self.other_groups[made] = (name, kind)
        return made

    def group_json(self, key: str, created: float = 0.0) -> dict[str, Any]:
        """A group by its name, or by its id where it shares the name."""
        name, kind = self.other_groups.get(
            key, (key, "BUILT_IN" if key == "Everyone" else "OKTA_GROUP"))
        moment = okta_time(created or time.time())
        return {"id": self.group_id(key), "created": moment, "lastUpdated": moment,
                "lastMembershipUpdated": moment,
                "objectClass": ["okta:windows_security_principal" if kind == "APP_GROUP"
                                else "okta:user_group"],
                "type": kind, "profile": {"name": name, "description": ""}}

    def add_factor(self, user: User, values: dict[str, Any]) -> Factor:
        _only(values, ("type", "provider", "status", "profile", "secret", "id"))
        kind = _one_of("type", values.get("type"), tuple(FACTOR_TYPES))
        prefix, provider = FACTOR_TYPES[kind]
        factor = Factor(kind, values.get("id") or new_id(prefix),
                        values.get("provider", provider),
                        _one_of("status", values.get("status", "ACTIVE"), FACTOR_STATUSES))
        factor.profile = values.get("profile", _profile(kind, user))
        if kind == "token:software:totp":
            factor.secret = values.get("secret") or totp.new_secret()
            totp.code(factor.secret, 0)  # raises now, not at the first sign-on
        else:
            factor.secret = values.get("secret") or _new_secret(kind)
        user.factors[factor.id] = factor
        return factor

    def remove_factor(self, user: User, factor_id: str) -> None:
        if factor_id not in user.factors:
            raise SimError(f"{user.login} has no factor {factor_id}")
        del user.factors[factor_id]
        user.gone_factors.add(factor_id)

    def passcode(self, user: User, kind: str = "token:software:totp") -> dict[str, Any]:
        """What the person's authenticator app shows, or will show next if that was used up; for
        another kind, what was sent, or the answer, or what the token shows."""
        if kind != "token:software:totp":
            for factor in user.factors.values():
                if factor.factor_type == kind:
                    return {"passcode": _shown_by(factor), "factor": factor.id,
                            "messages": factor.messages}
            raise SimError(f"{user.login} has no {kind}")
        for factor in user.factors.values():
            if factor.factor_type == "token:software:totp":
                present = factor.present_step()
                step = max(present, factor.last_step + 1)
                # Instead of half a minute in which all passcodes that count are used ones.
                factor.steps_ahead += max(0, step - present - self.org.totp_window)
                return {"passcode": totp.code(factor.secret, step), "factor": factor.id}
        raise SimError(f"{user.login} has no token:software:totp")

    # --- pushes ------------------------------------------------------------------------------

    def start_push(self, user: User, factor: Factor, want_number: bool) -> Push:
        number = None
        if want_number or self.org.force_number_challenge:
            number = 10 + secrets.randbelow(90)
        push = Push(user, factor, time.time() + self.org.push_lifetime, number,
                    mode=user.push_mode, after=user.push_after)
        if push.mode == "other_factor":
            push.decoy = self._decoy(push)
        self._remember_push(push)
        return push

    def _decoy(self, push: Push) -> Push:
        """A transaction of somebody else's phone that was approved already."""
        stranger = User(login="stranger@example.com")
        factor = self.add_factor(stranger, {"type": "push"})
        self.users[stranger.id] = stranger
        decoy = Push(stranger, factor, push.expires, answer="APPROVED")
        self._remember_push(decoy)
        return decoy

    def _remember_push(self, push: Push) -> None:
        self.pushes[push.id] = self.pushes[push.poll_id] = push
        self.push_order.append(push)
        push.user.pushes.append(push)
        if len(self.push_order) > PUSHES_MAX:
            oldest = self.push_order.popleft()
            del self.pushes[oldest.id], self.pushes[oldest.poll_id]
            oldest.user.pushes.remove(oldest)

    def list_pushes(self, login: str = "", result: str = "") -> list[Push]:
        now = time.time()
        among = self.user(login).pushes if login else self.push_order
        return [p for p in among if not result or p.result(now) == result]

    def answer_pushes(self, login: str, answer: str, number: Optional[int] = None,
                      factor: str = "") -> list[Push]:
        """The person answers what their phone (one phone, if `factor` is given) shows."""
        answered = [p for p in self.list_pushes(login, "WAITING")
                    if not factor or p.factor.id == factor]
        for push in answered:
            if push.mode == "ignore":
                raise SimError(f"{login} ignores pushes, by the test's own wish")
            if number is not None and push.number is None:
                raise SimError("this push shows no number")
        for push in answered:
            wrong = number is not None and number != push.number
            push.answer = "DENIED" if answer == "deny" or wrong else "APPROVED"
        return answered

    # --- devices -----------------------------------------------------------------------------

    def put_device(self, device_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Enrols a device or changes one; the members are those of Graph's managedDevice."""
        key = str(uuid.UUID(device_id))
        device = self.devices.get(key) or new_device(key)
        _only(values, tuple(device))
        _one_of("complianceState", values.get("complianceState", "compliant"), COMPLIANCE_STATES)
        _one_of("managementState", values.get("managementState", "managed"), MANAGEMENT_STATES)
        device.update(values)
        self.devices[key] = device
        return device

    def remove_device(self, device_id: str) -> None:
        if self.devices.pop(str(uuid.UUID(device_id)), None) is None:
            raise SimError(f"no device {device_id}")

    # --- devices as Okta has them ------------------------------------------------------------

    def put_okta_device(self, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """Creates or changes one. `users`: login -> managementStatus, of all its people."""
        _only(values, ("status", "profile", "users"))
        device = copy.deepcopy(self.okta_devices.get(key)) or {
            "id": key, "status": "ACTIVE", "created": time.time(), "users": {},
            "profile": {"displayName": "Laptop " + key, "platform": "MACOS", "registered": True,
                        "secureHardwarePresent": True}}
        device["status"] = _one_of("status", values.get("status", device["status"]),
                                   OKTA_DEVICE_STATUSES)
        device["profile"].update(values.get("profile", {}))
        _one_of("platform", device["profile"]["platform"], OKTA_DEVICE_PLATFORMS)
        if "users" in values:
            device["users"] = {
                self.user(login).id: _one_of("managementStatus", word, MANAGEMENT_STATUSES)
                for login, word in values["users"].items()}
        if device["status"] == "DEACTIVATED":
            device["users"] = {}  # deactivation costs a device all its links
        self.okta_devices[key] = device
        return device

    def remove_okta_device(self, key: str) -> None:
        if self.okta_devices.pop(key, None) is None:
            raise SimError(f"no device {key} at Okta")


def _only(values: dict[str, Any], allowed: Iterable[str]) -> None:
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        raise SimError("unknown member: " + ", ".join(unknown))


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise SimError(f"{name}: {value!r} is none of {', '.join(allowed)}")
    return value


def _new_secret(kind: str) -> str:
    if kind == "token:hotp":
        return totp.new_secret()
    if kind == "token:hardware":
        return "".join(secrets.choice(MODHEX) for _ in range(12))
    if kind == "token":
        return str(secrets.randbelow(10 ** 8)).zfill(8)
    return "the starry night" if kind == "question" else ""


def _shown_by(factor: Factor) -> str:
    if factor.factor_type == "token:hotp":
        return totp.code(factor.secret, factor.counter)
    if factor.factor_type == "token:hardware":
        return factor.secret + "".join(secrets.choice(MODHEX) for _ in range(32))
    return factor.code or factor.secret


def _profile(kind: str, user: User) -> dict[str, Any]:
    if kind in ("sms", "call"):
        return {"phoneNumber": "+15554151337"}
    if kind == "email":
        return {"email": user.login}
    if kind == "question":
        return {"question": "favorite_art_piece",
                "questionText": "What is your favorite piece of art?"}
    if kind == "push":
        return {"credentialId": user.login, "deviceType": "SmartPhone_IPhone",
                "name": "Phone of " + user.login, "platform": "IOS", "version": "17.5"}
    return {"credentialId": user.login}


def new_device(device_id: str) -> dict[str, Any]:
    """A managed, compliant Windows laptop that was in touch a moment ago."""
    present = time.time()
    return {
        "id": device_id,
        "userId": str(uuid.uuid4()),
        "deviceName": "LT-" + device_id[:8].upper(),
        "managedDeviceOwnerType": "company",
        "enrolledDateTime": graph_time(present - 30 * 86400),
        "lastSyncDateTime": graph_time(present - 60),
        "operatingSystem": "Windows",
        "complianceState": "compliant",
        "jailBroken": "Unknown",
        "managementAgent": "mdm",
        "osVersion": "10.0.26100.4652",
        "easActivated": False,
        "azureADRegistered": True,
        "deviceEnrollmentType": "windowsAzureADJoin",
        "azureADDeviceId": str(uuid.uuid4()),
        "deviceRegistrationState": "registered",
        "isSupervised": False,
        "isEncrypted": True,
        "userPrincipalName": "alice@example.com",
        "emailAddress": "alice@example.com",
        "model": "Model X",
        "manufacturer": "Example Corp",
        "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z",
        "serialNumber": "SN" + device_id[:8].upper(),
        "wiFiMacAddress": "001122334455",
        "ethernetMacAddress": "001122334456",
        "physicalMemoryInBytes": 17179869184,
        "managementState": "managed",
        "partnerReportedThreatState": "unknown",
        "managementCertificateExpirationDate": graph_time(present + 300 * 86400),
        "udid": None,
        "imei": "",
        "notes": None,
    }
