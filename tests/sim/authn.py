# SPDX-License-Identifier: GPL-2.0-or-later
# The Authn API: POST /api/v1/authn, /authn/factors/ID/verify, /authn/previous and /authn/cancel, as
# a trusted application calls them.
#
# What a password gets is worked out as Okta does it: unknown people, wrong passwords and hidden
# lockouts are one and the same 401; four calls per second and user name; a transaction stays open,
# by its state token, until it is cancelled.
"""Primary authentication in the simulated Okta org."""

from __future__ import annotations

import collections
import hmac
import json
import secrets
import time
from typing import Any, Callable, Optional

from aiohttp import web

from tests.sim.state import AUTHN_STATUSES, Factor, Push, User, World, okta_time

TRANSACTION_LIFETIME = 300.0

Body = Callable[[web.Request], Any]


class AuthnApi:
    """Handlers of /api/v1/authn. `fail` makes an error of a code."""

    def __init__(self, world: World, body: Body, fail: Callable[..., Exception],
                 factors: Callable[[web.Request, User], list[dict[str, Any]]],
                 verify: Callable[..., web.Response]) -> None:
        self.world, self.body, self.fail, self.factors = world, body, fail, factors
        self.verify = verify

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("POST", "/api/v1/authn", self.post_authn, name="authn")
        factor = "/api/v1/authn/factors/{factor}/verify"
        app.router.add_route("POST", factor, self.post_verify, name="authn_verify")
        app.router.add_route("POST", factor + "/resend", self.post_verify, name="authn_resend")
        app.router.add_route("POST", "/api/v1/authn/previous", self.post_previous,
                             name="authn_previous")
        app.router.add_route("POST", "/api/v1/authn/cancel", self.post_cancel,
                             name="authn_cancel")

    async def post_authn(self, request: web.Request) -> web.Response:
        values = await self.body(request)
        name, password = values.get("username"), values.get("password")
        if not isinstance(name, str) or not isinstance(password, str) or not name or not password:
            raise self.fail("E0000001", "authn", ("username and password are wanted",))
        self.world.forwarded_for.append(request.headers.get("X-Forwarded-For", ""))
        self._limit(name)
        user = self.world.find_user(name)
        if user is None or user.id == name:
            raise self.fail("E0000004")
        return web.json_response(self._transaction(request, user, password))

    def _limit(self, name: str) -> None:
        """Four calls per second and user name (rl2-limits); 0 switches it off."""
        calls = self.world.authn_calls.setdefault(name.lower(), collections.deque())
        now = time.time()
        while calls and calls[0] <= now - 1.0:
            calls.popleft()
        if 0 < self.world.org.authn_per_second <= len(calls):
            raise self.fail("E0000047")
        calls.append(now)

    def _transaction(self, request: web.Request, user: User, password: str) -> dict[str, Any]:
        if user.status == "LOCKED_OUT":
            if not self.world.org.show_lockouts:
                raise self.fail("E0000004")
            return {"status": "LOCKED_OUT", "_embedded": {}, "_links": {}}
        right = user.password is not None and hmac.compare_digest(user.password.encode(),
                                                                  password.encode())
        if user.status in ("SUSPENDED", "DEPROVISIONED", "STAGED") or not right:
            self._wrong(user, right)
            raise self.fail("E0000004")
        user.wrong_passwords = 0
        status = "PASSWORD_EXPIRED" if user.status == "PASSWORD_EXPIRED" else user.authn_status
        return self._reply(request, user, status)

    def _wrong(self, user: User, right: bool) -> None:
        user.wrong_passwords += not right
        if 0 < self.world.org.password_lock_after <= user.wrong_passwords:
            user.status = "LOCKED_OUT"

    def _reply(self, request: web.Request, user: User, status: str,
               token: str = "") -> dict[str, Any]:
        assert status in AUTHN_STATUSES
        embedded: dict[str, Any] = {"user": {
            "id": user.id, "passwordChanged": okta_time(user.created),
            "profile": {"login": user.login, "firstName": "A", "lastName": "Example",
                        "locale": "en", "timeZone": "America/Los_Angeles"}}}
        expires = okta_time(time.time() + TRANSACTION_LIFETIME)
        if status == "SUCCESS":
            return {"expiresAt": expires, "status": status, "_embedded": embedded,
                    "sessionToken": "20111" + secrets.token_urlsafe(40)}
        token = token or "00" + secrets.token_urlsafe(30)
        self.world.transactions[token] = user.login
        found = self.factors(request, user)
        if status in ("MFA_REQUIRED", "MFA_ENROLL"):
            embedded["factors"] = found
        elif status in ("MFA_CHALLENGE", "MFA_ENROLL_ACTIVATE"):
            embedded["factor"] = found[0] if found else {}
        cancel = f"https://{request.host}/api/v1/authn/cancel"
        return {"stateToken": token, "expiresAt": expires, "status": status,
                "_embedded": embedded,
                "_links": {"cancel": {"href": cancel, "hints": {"allow": ["POST"]}}}}

    # --- MFA in the transaction ----------------------------------------------------------------

    def _open(self, values: dict[str, Any]) -> tuple[str, User]:
        token = values.get("stateToken", "")
        user = self.world.find_user(self.world.transactions.get(token, ""))
        if user is None:
            raise self.fail("E0000011")
        return token, user

    async def post_verify(self, request: web.Request) -> web.Response:
        """About another factor than the one that is waited for: refused, see post_previous."""
        values = await self.body(request)
        self.world.forwarded_for.append(request.headers.get("X-Forwarded-For", ""))
        token, user = self._open(values)
        factor = user.factors.get(request.match_info["factor"])
        if self.world.awaited.get(token, request.match_info["factor"]) != \
                request.match_info["factor"]:
            raise self.fail("E0000079")
        if factor is None or factor.status != "ACTIVE":
            raise self.fail("E0000007", request.match_info["factor"])
        if user.status == "LOCKED_OUT":
            return web.json_response({"status": "LOCKED_OUT", "_embedded": {}, "_links": {}})
        if factor.factor_type == "push":
            return self._push(request, token, user, factor)
        given = {name: value for name, value in values.items() if name != "stateToken"}
        reply = json.loads(self.verify(request, user, factor, given).body or b"{}")
        if reply["factorResult"] == "SUCCESS":
            return self._passed(request, token, user)
        return web.json_response(self._challenge(request, token, user, factor, reply))

    def _passed(self, request: web.Request, token: str, user: User) -> web.Response:
        self._forget(token)
        return web.json_response(self._reply(request, user, user.authn_after_mfa))

    def _forget(self, token: str) -> None:
        del self.world.transactions[token]
        self.world.awaited.pop(token, None)
        self._drop_push(token)

    def _drop_push(self, token: str) -> None:
        push = self.world.transaction_pushes.pop(token, None)
        if push is not None and push.result(time.time()) == "WAITING":
            push.answer = "CANCELLED"

    def _push(self, request: web.Request, token: str, user: User, factor: Factor) -> web.Response:
        """The first call, and the first one after an end, sends a push; the others poll it."""
        push = self.world.transaction_pushes.get(token)
        if push is None or push.factor is not factor:
            push = self.world.transaction_pushes[token] = self.world.start_push(user, factor,
                                                                                False)
            result = "WAITING"
        else:
            result = push.result(time.time())
            push.polls += 1
        if result == "SUCCESS":
            return self._passed(request, token, user)
        if result != "WAITING":
            del self.world.transaction_pushes[token]
        return web.json_response(self._challenge(request, token, user, factor,
                                                 {"factorResult": result}, push))

    def _challenge(self, request: web.Request, token: str, user: User, factor: Factor,
                   said: dict[str, Any], push: Optional[Push] = None) -> dict[str, Any]:
        """After an end of a push `next` is no longer named "poll", and would send another one."""
        self.world.awaited[token] = factor.id
        base = f"https://{request.host}/api/v1/authn"
        shown = next(f for f in self.factors(request, user) if f["id"] == factor.id)
        shown = {"id": factor.id, "factorType": factor.factor_type, "provider": factor.provider,
                 "vendorName": factor.provider, "profile": shown["profile"]}
        waiting = said.get("factorResult") == "WAITING"
        if waiting and push is not None and push.number_shows(self.world.org):
            shown["_embedded"] = {"challenge": {"correctAnswer": push.number}}
        verify = f"{base}/factors/{factor.id}/verify"
        made: dict[str, Any] = {
            "stateToken": token, "expiresAt": okta_time(time.time() + TRANSACTION_LIFETIME),
            "status": "MFA_CHALLENGE",
            "_embedded": {"user": {"id": user.id, "profile": {"login": user.login}},
                          "factor": shown},
            "_links": {"next": {"name": "poll" if waiting else "verify", "href": verify,
                                "hints": {"allow": ["POST"]}},
                       "cancel": {"href": base + "/cancel", "hints": {"allow": ["POST"]}},
                       "prev": {"href": base + "/previous", "hints": {"allow": ["POST"]}},
                       "resend": [{"name": factor.factor_type, "href": verify + "/resend",
                                   "hints": {"allow": ["POST"]}}]}}
        if said.get("factorResult") != "CHALLENGE":  # what was sent has no factorResult here
            made["factorResult"] = said["factorResult"]
        return made

    async def post_previous(self, request: web.Request) -> web.Response:
        """Back to MFA_REQUIRED; what was sent for the factor that was waited for is void."""
        token, user = self._open(await self.body(request))
        if self.world.awaited.pop(token, None) is None:
            raise self.fail("E0000079")
        self._drop_push(token)
        return web.json_response(self._reply(request, user, "MFA_REQUIRED", token))

    async def post_cancel(self, request: web.Request) -> web.Response:
        token, _ = self._open(await self.body(request))
        self._forget(token)
        return web.json_response({"relayState": None})
