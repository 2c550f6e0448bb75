# SPDX-License-Identifier: GPL-2.0-or-later
# The part of the Okta management API that devtrust speaks: users, groups, factors, transactions.
#
# Strict where Okta is strict (ids in factor paths, error codes, 201 for a push, a body or a
# Content-Length with every POST), so that a sloppy client fails here and not in production.
"""The simulated Okta org."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from typing import Any, Optional
from urllib.parse import quote

from aiohttp import web

from tests.sim import totp
from tests.sim.authn import AuthnApi
from tests.sim.browser import AUTHORIZE_PATH, GRANT_TYPE, BrowserGrant
from tests.sim.direct import CHALLENGE_PATH, GRANTS, PRIMARY_PATH, DirectApi
from tests.sim.okta_oauth import PATH as TOKEN_PATH
from tests.sim.okta_oauth import OAuth, OAuthError
from tests.sim.state import Factor, Push, User, World, new_id, okta_time

METADATA_PATH = "/.well-known/openid-configuration"
SKEW_STEPS = 10  # a passcode this many steps away is right but late: E0000083

SUMMARIES = {
    "E0000001": "Api validation failed: {0}",
    "E0000003": "The request body was not well-formed.",
    "E0000004": "Authentication failed",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found: {0}",
    "E0000009": "Internal Server Error",
    "E0000010": "Service is in read only mode",
    "E0000011": "Invalid token provided",
    "E0000031": "Invalid search criteria.",
    "E0000021": "Bad request.  Accept and/or Content-Type headers likely do not match supported "
                "values.",
    "E0000022": "The endpoint does not support the provided HTTP method",
    "E0000047": "API call exceeded rate limit due to too many requests.",
    "E0000068": "Invalid Passcode/Answer",
    "E0000069": "User Locked",
    "E0000079": "This operation is not allowed in the current authentication state.",
    "E0000082": "Each code can only be used once. Please wait for a new code and try again.",
    "E0000083": "The passcode is valid but exceeded time window.",
    "E0000109": "An SMS message was recently sent. Please wait 30 seconds before trying again.",
    "E0000118": "An email was recently sent. Please wait 5 seconds before trying again.",
    "E0000133": "A phone call was recently made. Please wait 30 seconds before trying again.",
    "E0000154": "Factor does not exist.",
    "E0000155": "User is not active.",
    "E0000180": "The factor is suspended.",
}
STATUSES = {
    "E0000001": 400, "E0000003": 400, "E0000004": 401, "E0000006": 403,
    "E0000007": 404, "E0000009": 500,
    "E0000010": 503, "E0000011": 401, "E0000021": 400,
    "E0000031": 400, "E0000022": 405, "E0000047": 429,
    "E0000068": 403, "E0000069": 403, "E0000079": 403, "E0000082": 403, "E0000083": 403,
    "E0000109": 429, "E0000118": 429, "E0000133": 429,
    "E0000154": 410, "E0000155": 423, "E0000180": 423,
}


class OktaError(Exception):
    """An answer in Okta's error shape."""

    def __init__(self, code: str, about: str = "", causes: tuple[str, ...] = (),
                 status: int = 0) -> None:
        super().__init__(code)
        self.code, self.about, self.causes = code, about, causes
        self.status = status or STATUSES[code]


def error_body(code: str, about: str = "", causes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "errorCode": code,
        "errorSummary": SUMMARIES.get(code, "Error").format(about),
        "errorLink": code,
        "errorId": new_id("oae", 25),
        "errorCauses": [{"errorSummary": cause} for cause in causes],
    }


def error_response(error: OktaError) -> web.Response:
    return web.json_response(error_body(error.code, error.about, error.causes),
                             status=error.status)


def link(href: str, *methods: str) -> dict[str, Any]:
    return {"href": href, "hints": {"allow": list(methods)}}


class OktaApi:
    """Handlers; the names of the routes are the names of the counters."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.oauth = OAuth(world)
        self.browser = BrowserGrant(world)
        self.direct = DirectApi(world, self.browser, self._check_any, self._send_code)
        self.authn = AuthnApi(world, self._body, OktaError, lambda request, user: [
            self._factor_json(request, user, f) for f in user.factors.values()], self._verify_code)

    def add_routes(self, app: web.Application) -> None:
        self.authn.add_routes(app)
        self.browser.add_routes(app)
        self.direct.add_routes(app)
        app.router.add_route("POST", TOKEN_PATH, self.post_token, name="token")
        app.router.add_route("GET", METADATA_PATH, self.get_metadata, name="metadata")
        user = "/api/v1/users/{user:[^/]+}"  # a name may hold braces
        factor = user + "/factors/{factor}"
        transaction = factor + "/transactions/{transaction}"
        device = "/api/v1/devices/{device}"
        for method, path, handler, name in (
                ("GET", "/api/v1/users", self.get_users, "users"),
                ("GET", "/api/v1/devices", self.get_devices, "devices"),
                ("GET", user, self.get_user, "user"),
                ("GET", user + "/groups", self.get_groups, "groups"),
                ("GET", user + "/devices", self.get_user_devices, "user_devices"),
                ("GET", device, self.get_device, "device"),
                ("GET", device + "/users", self.get_device_users, "device_users"),
                ("GET", user + "/factors", self.get_factors, "factors"),
                ("GET", factor, self.get_factor, "factor"),
                ("POST", factor + "/verify", self.post_verify, "verify"),
                ("GET", transaction, self.get_transaction, "poll"),
                ("DELETE", transaction, self.delete_transaction, "cancel")):
            app.router.add_route(method, path, handler, name=name)

    async def post_token(self, request: web.Request) -> web.Response:
        """Whose endpoint it is, the grant says."""
        form = await request.post()
        if form.get("grant_type") == GRANT_TYPE:
            return await self.browser.post_token(request)
        if form.get("grant_type") in GRANTS.values():
            return await self.direct.post_token(request, str(form["grant_type"]))
        return await self.oauth.post_token(request)

    # --- what every request goes through -----------------------------------------------------

    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Token, rate limit and error shape; an aiohttp handler in front of the handlers."""
        try:
            limited = not self._count()
            self._check_token(request)
            if limited:
                raise OktaError("E0000047", causes=())
            self._check_headers(request)
            response = await handler(request)
        except OktaError as error:
            response = error_response(error)
        except OAuthError as refusal:
            response = refusal.response()
        except web.HTTPMethodNotAllowed:
            response = error_response(OktaError("E0000022"))
        except web.HTTPNotFound:
            response = error_response(OktaError("E0000007", request.path + " (Path)"))
        return response

    def decorate(self, response: web.StreamResponse) -> None:
        """The headers that every answer has."""
        org, (window, used) = self.world.org, self.world.rate_window
        now = time.time() + org.date_skew
        headers = response.headers
        headers["X-Okta-Request-Id"] = secrets.token_urlsafe(18)
        headers.setdefault("X-Rate-Limit-Limit", str(org.rate_limit))
        headers.setdefault("X-Rate-Limit-Remaining", str(max(0, org.rate_limit - used)))
        headers.setdefault("X-Rate-Limit-Reset", str((window + 1) * 60))
        headers["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
        headers.setdefault("Cache-Control", "no-cache, no-store")

    def _count(self) -> bool:
        """Counts one request; False when the minute's limit is used up."""
        present = int((time.time() + self.world.org.date_skew) // 60)
        window, used = self.world.rate_window
        used = used + 1 if window == present else 1
        self.world.rate_window = (present, used)
        return used <= self.world.org.rate_limit

    def _check_token(self, request: web.Request) -> None:
        if request.path in (TOKEN_PATH, METADATA_PATH, AUTHORIZE_PATH, CHALLENGE_PATH,
                            PRIMARY_PATH):
            return
        if request.headers.get("Authorization", "").startswith(("Bearer ", "DPoP ")):
            if request.path.startswith("/api/v1/authn"):
                raise OktaError("E0000011")  # takes API tokens alone
            lacking = self.oauth.check(request)
            if lacking is not None:
                raise OktaError("E0000006" if lacking else "E0000011")
            return
        given = request.headers.get("Authorization", "").encode()
        expected = ("SSWS " + self.world.okta_token).encode()
        if not (self.world.org.okta_token_valid and hmac.compare_digest(given, expected)):
            raise OktaError("E0000011")

    @staticmethod
    def _check_headers(request: web.Request) -> None:
        accept = request.headers.get("Accept", "*/*")
        if not any(kind in accept for kind in ("application/json", "*/*", "application/*")):
            raise OktaError("E0000021")

    # --- users and groups --------------------------------------------------------------------

    async def get_user(self, request: web.Request) -> web.Response:
        return web.json_response(self._user_json(request, self._user(request)))

    def _user(self, request: web.Request, by_id_only: bool = False) -> User:
        key = request.match_info["user"]
        found = self.world.users.get(key) if by_id_only else self.world.find_user(key)
        if found is None:
            raise OktaError("E0000007", key + " (User)")
        return found

    @staticmethod
    def _user_json(request: web.Request, user: User) -> dict[str, Any]:
        moment = okta_time(user.created)
        first = user.login.partition("@")[0]
        return {
            "id": user.id, "status": user.status, "created": moment, "activated": moment,
            "statusChanged": moment, "lastUpdated": moment, "passwordChanged": moment,
            "profile": {"firstName": first, "lastName": "Example", "login": user.login,
                        "email": user.login},
            "credentials": {"password": {}, "provider": {"type": "OKTA", "name": "OKTA"}},
            "_links": {"self": {"href": f"https://{request.host}/api/v1/users/{user.id}"}},
        }

    async def get_metadata(self, request: web.Request) -> web.Response:
        org, own = self.world.org, f"https://{request.host}"
        return web.json_response({"issuer": org.issuer or own,
                                  "token_endpoint": own + TOKEN_PATH,
                                  "grant_types_supported": org.grant_types.split()})

    async def get_users(self, request: web.Request) -> web.Response:
        size, after = self._page(request)
        return web.json_response([self._user_json(request, user) for user in
                                  list(self.world.users.values())[after:after + size]])

    async def get_devices(self, request: web.Request) -> web.Response:
        self._page(request)
        return web.json_response([])

    async def get_groups(self, request: web.Request) -> web.Response:
        user = self._user(request)
        size, after = self._page(request)
        shown = user.groups[after:after + size]
        response = web.json_response([self._group_json(user, name) for name in shown])
        address = f"https://{request.host}{request.rel_url.raw_path}"
        response.headers.add("link", f'<{address}?limit={size}>; rel="self"')
        if after + size < len(user.groups):
            cursor = f"{address}?after={after + size}&limit={size}"
            response.headers.add("link", f'<{cursor}>; rel="next"')
        return response

    def _page(self, request: web.Request) -> tuple[int, int]:
        try:
            size = int(request.query.get("limit", self.world.org.groups_page_size))
            after = int(request.query.get("after", "0"))
        except ValueError:
            raise OktaError("E0000001", "limit", ("limit or after is no number",)) from None
        return max(1, min(size, self.world.org.groups_page_size)), max(0, after)

    def _group_json(self, user: User, name: str) -> dict[str, Any]:
        return self.world.group_json(name, user.created)

    # --- devices -----------------------------------------------------------------------------

    def _may_read_devices(self) -> None:
        if not self.world.org.okta_token_reads_devices:
            raise OktaError("E0000006")

    def _device(self, request: web.Request) -> dict[str, Any]:
        self._may_read_devices()
        key = request.match_info["device"]
        if key not in self.world.okta_devices:
            raise OktaError("E0000007", key + " (UDDevice)")
        return self.world.okta_devices[key]

    @staticmethod
    def _device_json(request: web.Request, device: dict[str, Any]) -> dict[str, Any]:
        address = f"https://{request.host}/api/v1/devices/{device['id']}"
        moment = okta_time(device["created"])
        return {"id": device["id"], "status": device["status"], "created": moment,
                "lastUpdated": moment, "profile": device["profile"], "resourceType": "UDDevice",
                "resourceDisplayName": {"value": device["profile"]["displayName"],
                                        "sensitive": False},
                "resourceId": device["id"],
                "_links": {"self": link(address, "GET", "PUT"),
                           "users": link(address + "/users", "GET")}}

    async def get_device(self, request: web.Request) -> web.Response:
        return web.json_response(self._device_json(request, self._device(request)))

    async def get_user_devices(self, request: web.Request) -> web.Response:
        self._may_read_devices()
        user = self._user(request, by_id_only=True)
        moment = okta_time(user.created)
        return self._paged(request, [
            {"created": moment, "deviceUserId": "duo" + d["id"][3:],
             "device": self._device_json(request, d)}
            for d in self.world.okta_devices.values() if user.id in d["users"]])

    async def get_device_users(self, request: web.Request) -> web.Response:
        device = self._device(request)
        moment = okta_time(device["created"])
        return self._paged(request, [
            {"created": moment, "managementStatus": managed, "screenLockType": "BIOMETRIC",
             "user": self._user_json(request, self.world.users[key])}
            for key, managed in device["users"].items() if key in self.world.users])

    def _paged(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        size = self.world.org.okta_devices_page_size
        try:
            after = max(0, int(request.query.get("after", "0")))
        except ValueError:
            raise OktaError("E0000001", "after", ("after is no number",)) from None
        response = web.json_response(items[after:after + size])
        address = f"https://{request.host}{request.rel_url.raw_path}"
        response.headers.add("link", f'<{address}>; rel="self"')
        if after + size < len(items):
            response.headers.add("link", f'<{address}?after={after + size}>; rel="next"')
        return response

    # --- factors -----------------------------------------------------------------------------

    async def get_factors(self, request: web.Request) -> web.Response:
        user = self._user(request, by_id_only=True)
        return web.json_response([self._factor_json(request, user, f)
                                  for f in user.factors.values()])

    async def get_factor(self, request: web.Request) -> web.Response:
        user = self._user(request, by_id_only=True)
        return web.json_response(self._factor_json(request, user, self._factor(request, user)))

    @staticmethod
    def _factor(request: web.Request, user: User) -> Factor:
        key = request.match_info["factor"]
        if key in user.gone_factors:
            raise OktaError("E0000154")
        if key not in user.factors:
            raise OktaError("E0000007", key + " (UserFactor)")
        return user.factors[key]

    @staticmethod
    def _address(request: web.Request, user: User, factor: Factor) -> str:
        return f"https://{request.host}/api/v1/users/{user.id}/factors/{quote(factor.id)}"

    def _factor_json(self, request: web.Request, user: User, factor: Factor) -> dict[str, Any]:
        address = self._address(request, user, factor)
        shown = {
            "id": factor.id, "factorType": factor.factor_type, "provider": factor.provider,
            "vendorName": factor.provider, "status": factor.status,
            "created": okta_time(factor.created), "lastUpdated": okta_time(factor.created),
            "profile": factor.profile,
            "_links": {"self": link(address, "GET", "DELETE"),
                       "user": link(address.rpartition("/factors/")[0], "GET")},
        }
        if factor.status == "ACTIVE":
            shown["_links"]["verify"] = link(address + "/verify", "POST")
        return shown

    # --- verification ------------------------------------------------------------------------

    async def post_verify(self, request: web.Request) -> web.Response:
        if "Content-Length" not in request.headers and "Transfer-Encoding" not in request.headers:
            return web.Response(status=411, text="Length Required", content_type="text/html")
        body = await self._body(request)
        user = self._user(request, by_id_only=True)
        factor = self._factor(request, user)
        if user.status == "LOCKED_OUT":
            raise OktaError("E0000069")
        if user.status != "ACTIVE":
            raise OktaError("E0000155")
        if factor.status != "ACTIVE":
            raise OktaError("E0000180")
        if factor.factor_type == "push":
            return self._verify_push(request, user, factor, body)
        return self._verify_code(request, user, factor, body)

    def _verify_code(self, request: web.Request, user: User, factor: Factor,
                     body: dict[str, Any]) -> web.Response:
        if factor.factor_type == "token:software:totp":
            return self._verify_totp(user, factor, body)
        return self._verify_other(request, user, factor, body)

    @staticmethod
    async def _body(request: web.Request) -> dict[str, Any]:
        raw = await request.read()
        if not raw:
            return {}
        if request.content_type != "application/json":
            raise OktaError("E0000021")
        try:
            body = json.loads(raw)
        except ValueError:
            raise OktaError("E0000003") from None
        if not isinstance(body, dict):
            raise OktaError("E0000003")
        return body

    def _verify_push(self, request: web.Request, user: User, factor: Factor,
                     body: dict[str, Any]) -> web.Response:
        if not request.headers.get("User-Agent"):
            raise OktaError("E0000001", "User-Agent", ("User-Agent: The header is required",))
        wanted = body.get("useNumberMatchingChallenge", False)
        if not isinstance(wanted, bool):
            raise OktaError("E0000001", "useNumberMatchingChallenge", ("no boolean",))
        push = self.world.start_push(user, factor, wanted)
        reply = self._waiting_json(request, push, push.id)
        return web.json_response(reply, status=201)

    def _waiting_json(self, request: web.Request, push: Push, shown_id: str) -> dict[str, Any]:
        address = self._address(request, push.user, push.factor) + "/transactions/" + shown_id
        reply: dict[str, Any] = {
            "factorResult": "WAITING", "expiresAt": okta_time(push.expires),
            "_links": {"poll": link(address, "GET"), "cancel": link(address, "DELETE")}}
        if push.number_shows(self.world.org):
            reply["_embedded"] = {"challenge": {"correctAnswer": push.number}}
        return reply

    def _verify_totp(self, user: User, factor: Factor, body: dict[str, Any]) -> web.Response:
        passcode = body.get("passCode")
        if not isinstance(passcode, str) or not passcode:
            raise OktaError("E0000001", "passCode", ("passCode: The field cannot be left blank",))
        fault = self._check_totp(factor, passcode)
        if fault is None:
            user.wrong_codes = 0
            return web.json_response({"factorResult": "SUCCESS"})
        if fault == "E0000068":
            user.wrong_codes += 1
            if 0 < self.world.org.lock_after <= user.wrong_codes:
                user.status = "LOCKED_OUT"
        elif self.world.org.totp_errors_as_result:
            word = "PASSCODE_REPLAYED" if fault == "E0000082" else "TIME_WINDOW_EXCEEDED"
            return web.json_response({"factorResult": word})
        raise OktaError(fault, causes=("Your passcode doesn't match our records. "
                                       "Please try again.",) if fault == "E0000068" else ())

    def _check_totp(self, factor: Factor, passcode: str) -> Optional[str]:
        """None when right, else the error code. A used step stays used (RFC 6238 section 5.2)."""
        present, window = factor.present_step(), self.world.org.totp_window
        for distance in range(-SKEW_STEPS, SKEW_STEPS + 1):
            step = present + distance
            if not hmac.compare_digest(totp.code(factor.secret, step).encode(),
                                       passcode.encode("utf-8", "surrogatepass")):
                continue
            if step <= factor.last_step:
                return "E0000082"
            if abs(distance) > window:
                return "E0000083"
            factor.last_step = step
            return None
        return "E0000068"

    def _verify_other(self, request: web.Request, user: User, factor: Factor,
                      body: dict[str, Any]) -> web.Response:
        """Codes that are sent, tokens, and the question."""
        kind = factor.factor_type
        if kind in ("sms", "call", "email") and "passCode" not in body:
            return self._send_code(request, user, factor)
        if kind in ("signed_nonce", "web", "u2f", "webauthn"):
            raise OktaError("E0000001", "factorType", ("The factor cannot be verified this way",))
        member = "answer" if kind == "question" else "passCode"
        given = body.get(member)
        if not isinstance(given, str) or not given or set(body) != {member}:
            raise OktaError("E0000001", member, (f"{member}: The field cannot be left blank",))
        fault = self._check_other(factor, given)
        if fault is None:
            user.wrong_codes = 0
            return web.json_response({"factorResult": "SUCCESS"})
        user.wrong_codes += 1
        if 0 < self.world.org.lock_after <= user.wrong_codes:
            user.status = "LOCKED_OUT"
        raise OktaError(fault)

    def _send_code(self, request: web.Request, user: User, factor: Factor) -> web.Response:
        present = time.time()
        if present < factor.sent + self.world.org.message_pause:
            raise OktaError({"sms": "E0000109", "call": "E0000133"}.get(factor.factor_type,
                                                                        "E0000118"))
        factor.code = str(secrets.randbelow(10 ** 6)).zfill(6)
        factor.sent = present
        factor.messages += 1
        address = self._address(request, user, factor)
        return web.json_response({
            "factorResult": "CHALLENGE", "profile": factor.profile,
            "_links": {"verify": link(address + "/verify", "POST"),
                       "factor": link(address, "GET", "DELETE")}})

    def _check_any(self, factor: Factor, given: str) -> Optional[str]:
        return self._check_totp(factor, given) if factor.factor_type == "token:software:totp" \
            else self._check_other(factor, given)

    @staticmethod
    def _check_other(factor: Factor, given: str) -> Optional[str]:
        """None when right, else the error code. A code that was sent is good once, for five
        minutes; a token's passcode once."""
        kind = factor.factor_type
        if kind in ("sms", "call", "email"):
            if factor.code and given == factor.code and time.time() < factor.sent + 300:
                factor.code = ""
                return None
        elif kind == "question":
            if given.lower() == factor.secret.lower():
                return None
        elif kind == "token:hotp":
            for ahead in range(10):
                if totp.code(factor.secret, factor.counter + ahead) == given:
                    factor.counter += ahead + 1
                    return None
        elif kind == "token:hardware":
            if given in factor.used:
                return "E0000082"
            if given.startswith(factor.secret) and len(given) == 44:
                factor.used.add(given)
                return None
        elif given == factor.secret:
            return None
        return "E0000068"

    # --- push transactions -------------------------------------------------------------------

    def _transaction(self, request: web.Request) -> tuple[Push, str]:
        user = self._user(request, by_id_only=True)
        factor = self._factor(request, user)
        key = request.match_info["transaction"]
        push = self.world.pushes.get(key)
        if push is None or push.user is not user or push.factor is not factor:
            raise OktaError("E0000007", key + " (Transaction)")
        return push, key

    async def get_transaction(self, request: web.Request) -> web.Response:
        push, key = self._transaction(request)
        used_up = self.world.org.strict_transaction_ids and push.polls > 0 and key == push.id
        result = push.result(time.time())
        if used_up or result == "CANCELLED":
            raise OktaError("E0000007", key + " (Transaction)")
        push.polls += 1
        profile = {"credentialId": push.user.login}
        if result == "SUCCESS":
            return web.json_response({"factorResult": "SUCCESS"})
        if result == "WAITING":
            shown = push
            if push.decoy is not None and time.time() >= push.created + push.after:
                shown = push.decoy
            reply = self._waiting_json(request, shown, shown.poll_id)
            return web.json_response({**reply, "profile": profile})
        address = self._address(request, push.user, push.factor)
        return web.json_response({
            "factorResult": result, "profile": profile,
            "_links": {"verify": link(address + "/verify", "POST"),
                       "factor": link(address, "GET", "DELETE")}})

    async def delete_transaction(self, request: web.Request) -> web.Response:
        push, _ = self._transaction(request)
        if push.result(time.time()) != "WAITING":
            raise OktaError("E0000079")
        push.answer = "CANCELLED"
        return web.Response(status=204)
