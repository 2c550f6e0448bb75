# SPDX-License-Identifier: GPL-2.0-or-later
# The Authn API: POST /api/v1/authn and /authn/cancel, as a trusted application calls them.
#
# What a password gets is worked out as Okta does it: unknown people, wrong passwords and hidden
# lockouts are one and the same 401; four calls per second and user name; a transaction stays open,
# by its state token, until it is cancelled.
"""Primary authentication in the simulated Okta org."""

from __future__ import annotations

import collections
import hmac
import secrets
import time
from typing import Any, Callable

from aiohttp import web

from tests.sim.state import AUTHN_STATUSES, User, World, okta_time

TRANSACTION_LIFETIME = 300.0

Body = Callable[[web.Request], Any]


class AuthnApi:
    """Handlers of /api/v1/authn. `fail` makes an error of a code."""

    def __init__(self, world: World, body: Body, fail: Callable[..., Exception],
                 factors: Callable[[web.Request, User], list[dict[str, Any]]]) -> None:
        self.world, self.body, self.fail, self.factors = world, body, fail, factors

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("POST", "/api/v1/authn", self.post_authn, name="authn")
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

    def _reply(self, request: web.Request, user: User, status: str) -> dict[str, Any]:
        assert status in AUTHN_STATUSES
        embedded: dict[str, Any] = {"user": {
            "id": user.id, "passwordChanged": okta_time(user.created),
            "profile": {"login": user.login, "firstName": "A", "lastName": "Example",
                        "locale": "en", "timeZone": "America/Los_Angeles"}}}
        expires = okta_time(time.time() + TRANSACTION_LIFETIME)
        if status == "SUCCESS":
            return {"expiresAt": expires, "status": status, "_embedded": embedded,
                    "sessionToken": "20111" + secrets.token_urlsafe(40)}
        token = "00" + secrets.token_urlsafe(30)
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

    async def post_cancel(self, request: web.Request) -> web.Response:
        values = await self.body(request)
        if self.world.transactions.pop(values.get("stateToken"), None) is None:
            raise self.fail("E0000011")
        return web.json_response({"relayState": None})
