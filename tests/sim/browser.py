# SPDX-License-Identifier: GPL-2.0-or-later
# The Device Authorization Grant (RFC 8628) of the org, for its native app: codes, and the token
# endpoint that says whether somebody has signed in with one.
#
# As strict as Okta: a public client names itself in the form and has no credential, polls that
# come too soon are told to slow down, a device_code is good for one token. The ID token is
# signed, so that nothing about it is special; what a test wants wrong about it, it says when it
# signs somebody in.
"""Signing in to the simulated Okta org with a browser."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Optional

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sim.okta_oauth import OAuthError
from tests.sim.state import SimError, User, World

AUTHORIZE_PATH = "/oauth2/v1/device/authorize"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # of user codes; RFC 8628 section 6.1
SLOW_DOWN = 5.0


@dataclass
class Grant:
    """Codes that were given out, and what became of them."""

    device_code: str
    user_code: str
    created: float
    interval: float
    lifetime: float
    polled: float = 0.0
    polls: int = 0
    hurried: int = 0  # polls that came too soon
    answer: str = ""  # approve, deny; "" while nobody has signed in
    login: str = ""  # who has
    signed_in: dict[str, Any] = field(default_factory=dict)
    used: bool = False

    def is_open(self) -> bool:
        return not self.answer and time.time() < self.created + self.lifetime


class BrowserGrant:
    """Handlers of /device/authorize, and of the grant at the token endpoint."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = ec.generate_private_key(ec.SECP256R1())

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("POST", AUTHORIZE_PATH, self.post_authorize, name="device_authorize")

    async def _form(self, request: web.Request) -> Any:
        """The form of a public client that may do this."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise OAuthError(400, "invalid_request", "The request must be a form.")
        if "Authorization" in request.headers:
            raise OAuthError(401, "invalid_client", "A native app has no credentials.")
        form = await request.post()
        if form.get("client_id") != self.world.native_client:
            raise OAuthError(401, "invalid_client", "Invalid value for 'client_id' parameter.")
        if not self.world.org.native_device_grant:
            raise OAuthError(400, "unauthorized_client",
                             "The client is not authorized to use the provided grant type.")
        return form

    async def post_authorize(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        if "openid" not in str(form.get("scope", "")).split():
            raise OAuthError(400, "invalid_scope", "The scope openid is wanted.")
        org, own = self.world.org, f"https://{request.host}/activate"
        code = "".join(secrets.choice(LETTERS) for _ in range(8))
        grant = Grant(secrets.token_urlsafe(32), code, time.time(), org.device_interval,
                      org.device_lifetime)
        self.world.grants[grant.device_code] = grant
        return web.json_response({
            "device_code": grant.device_code, "user_code": code, "verification_uri": own,
            "verification_uri_complete": f"{own}?user_code={code}",
            "expires_in": int(grant.lifetime), "interval": int(grant.interval)})

    async def post_token(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        grant: Optional[Grant] = self.world.grants.get(str(form.get("device_code", "")))
        if grant is None or grant.used:
            raise OAuthError(400, "invalid_grant", "The device code is invalid or has expired.")
        grant.polls += 1
        now, last = time.time(), grant.polled
        grant.polled = now
        if now >= grant.created + grant.lifetime:
            raise OAuthError(400, "expired_token", "The device code has expired.")
        if grant.polls > 1 and now < last + grant.interval - 0.25:
            grant.hurried += 1
            grant.interval += SLOW_DOWN
            raise OAuthError(400, "slow_down", "The client polls too often.")
        if grant.answer == "deny":
            grant.used = True
            raise OAuthError(403, "access_denied", "The resource owner denied the request.")
        if grant.answer != "approve":
            raise OAuthError(400, "authorization_pending", "The device authorization is pending.")
        grant.used = True
        return web.json_response(self._tokens(request, grant))

    def _tokens(self, request: web.Request, grant: Grant) -> dict[str, Any]:
        user = self.world.user(grant.login)
        reply = {"token_type": "Bearer", "expires_in": 3600, "scope": "openid profile",
                 "access_token": secrets.token_urlsafe(48)}
        if grant.signed_in.get("id_token", True):
            reply["id_token"] = self.id_token(request, user, grant.signed_in)
        return reply

    def id_token(self, request: web.Request, user: User, said: dict[str, Any]) -> str:
        """Claims of `claims` replace others, null leaves one out; alg none is not signed."""
        now = int(time.time() + self.world.org.date_skew)
        claims = {"ver": 1, "iss": f"https://{request.host}", "aud": self.world.native_client,
                  "sub": user.id, "preferred_username": user.login, "name": user.login,
                  "iat": now, "exp": now + 3600, "auth_time": now - int(said.get("age", 0)),
                  "amr": said.get("amr", ["pwd", "mfa", "hwk"]),
                  "jti": "ID." + secrets.token_urlsafe(24), "at_hash": secrets.token_urlsafe(16)}
        claims.update(said.get("claims", {}))
        claims = {name: value for name, value in claims.items() if value is not None}
        if said.get("alg") == "none":
            return jwt.encode(claims, None, algorithm="none") + "c2ln"
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": "sim"})


# --- what people do --------------------------------------------------------------------------


def listed(world: World) -> list[dict[str, Any]]:
    """Without the secret."""
    return [{"user_code": g.user_code, "open": g.is_open(), "polls": g.polls,
             "hurried": g.hurried, "answer": g.answer, "login": g.login}
            for g in world.grants.values()]


def sign_in(world: World, login: str, answer: str, code: str, values: dict[str, Any]) -> None:
    """The person enters the code; without one, that which was given out last."""
    if answer not in ("approve", "deny"):
        raise SimError("answer is approve or deny")
    world.user(login)
    found = [g for g in world.grants.values() if g.is_open() and code in ("", g.user_code)]
    if not found:
        raise SimError("no such code is open")
    grant = found[-1]
    grant.answer, grant.login, grant.signed_in = answer, login, values
