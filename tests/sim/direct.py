# SPDX-License-Identifier: GPL-2.0-or-later
# Direct Authentication of the org, for its native app: the password, passcodes, and what is
# begun out of band.
#
# As strict as Okta: a public client names itself in the form and has no credential; an oob_code
# belongs to its mfa_token; a poll that comes too soon is told to slow down; tokens are given once.
# What a wrong password, a wrong code, a denial and a throttle are called is the same word.
"""Direct Authentication of the simulated Okta org."""

from __future__ import annotations

import collections
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

from aiohttp import web

from tests.sim.browser import BrowserGrant
from tests.sim.okta_oauth import OAuthError
from tests.sim.state import Factor, Push, User, World

CHALLENGE_PATH = "/oauth2/v1/challenge"
PRIMARY_PATH = "/oauth2/v1/primary-authenticate"
OTP = "urn:okta:params:oauth:grant-type:otp"
OOB = "urn:okta:params:oauth:grant-type:oob"
MFA_OTP = "http://auth0.com/oauth/grant-type/mfa-otp"
MFA_OOB = "http://auth0.com/oauth/grant-type/mfa-oob"
GRANTS = {"password": "password", "otp": OTP, "oob": OOB, "mfa-otp": MFA_OTP, "mfa-oob": MFA_OOB}
CHANNELS = {"push": "push", "sms": "sms", "voice": "call"}
SLOW_DOWN = 5.0
MFA_LIFETIME = 300.0
PASSCODES = ("token:software:totp", "token:hotp", "token:hardware", "token")


@dataclass
class Begun:
    """Something out of band."""

    user: User
    factor: Factor
    mfa_token: str
    interval: float
    push: Optional[Push]
    expires: float
    polled: float = 0.0
    used: bool = False


def denied(text: str) -> OAuthError:
    return OAuthError(403, "access_denied", text)


def expired(value: str) -> OAuthError:
    return denied(f"`{value}` has expired. Use a new `oob_code` or `mfa_token` and try again.")


def wrong(text: str) -> OAuthError:
    return OAuthError(400, "invalid_grant", text)


class DirectApi:
    """Handlers. `check_totp` and `check_other` give the error code of a passcode, None for a right
    one; `send_code` sends one."""

    def __init__(self, world: World, browser: BrowserGrant,
                 check: Callable[[Factor, str], Optional[str]],
                 send_code: Callable[[web.Request, User, Factor], Any]) -> None:
        self.world, self.browser, self.check, self.send_code = world, browser, check, send_code

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("POST", CHALLENGE_PATH, self.post_challenge, name="challenge")
        app.router.add_route("POST", PRIMARY_PATH, self.post_primary, name="primary")

    async def _form(self, request: web.Request, grant: str) -> Any:
        """The form of a public client that may use this grant."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise OAuthError(400, "invalid_request", "The request must be a form.")
        if "Authorization" in request.headers:
            raise OAuthError(401, "invalid_client", "A native app has no credentials.")
        form = await request.post()
        if form.get("client_id") != self.world.native_client:
            raise OAuthError(401, "invalid_client", "Invalid value for 'client_id' parameter.")
        allowed = [GRANTS[g] for g in self.world.org.direct_grants.split()]
        if grant not in allowed:
            raise OAuthError(400, "unauthorized_client",
                             "The client isn't authorized to use the provided grant type. "
                             f"Configured grant types: {allowed}.")
        self.world.forwarded_for.append(request.headers.get("X-Forwarded-For", ""))
        return form

    # --- who ---------------------------------------------------------------------------------

    def _throttle(self, login: str) -> None:
        calls = self.world.authn_calls.setdefault(login.lower(), collections.deque())
        now = time.time()
        while calls and calls[0] <= now - 1.0:
            calls.popleft()
        if 0 < self.world.org.authn_per_second <= len(calls):
            raise OAuthError(429, "invalid_grant",
                             "API call exceeded the rate limit due to too many requests.")
        calls.append(now)

    def _by_hint(self, form: Any) -> User:
        user = self.world.find_user(str(form.get("login_hint", "")))
        if user is None:
            raise wrong("The login_hint is not valid.")
        if user.status != "ACTIVE":
            raise denied("The user may not sign in.")
        self._throttle(user.login)
        return user

    def _by_token(self, form: Any) -> User:
        token = str(form.get("mfa_token", ""))
        login, since = self.world.mfa_tokens.get(token, ("", 0.0))
        user = self.world.find_user(login) if login else None
        if user is None or time.time() > since + MFA_LIFETIME:
            raise expired(token)
        if user.status != "ACTIVE":
            raise denied("The user may not sign in.")
        return user

    # --- out of band -------------------------------------------------------------------------

    async def post_challenge(self, request: web.Request) -> web.Response:
        form = await self._form(request, MFA_OOB)
        user = self._by_token(form)
        if MFA_OOB not in str(form.get("challenge_types_supported", "")).split():
            raise denied("The challenge type isn't supported as a `challenge_type`.")
        reply = self._begin(request, user, form, str(form["mfa_token"]))
        return web.json_response({"challenge_type": MFA_OOB, **reply})

    async def post_primary(self, request: web.Request) -> web.Response:
        form = await self._form(request, OOB)
        if form.get("challenge_hint") != OOB:
            raise OAuthError(400, "invalid_request", "The challenge_hint isn't supported.")
        return web.json_response(self._begin(request, self._by_hint(form), form, ""))

    def _begin(self, request: web.Request, user: User, form: Any, token: str) -> dict[str, Any]:
        channel = str(form.get("channel_hint", ""))
        if channel not in CHANNELS:
            raise OAuthError(400, "invalid_request",
                             f"`{channel}` isn't supported as a `channel_hint`.")
        found = [f for f in user.factors.values()
                 if f.factor_type == CHANNELS[channel] and f.status == "ACTIVE"]
        if not found:
            raise denied("The required authenticator can't be used. Check if it's required by "
                         "policy and the user is enrolled in the authenticator and try again.")
        factor, code = found[0], secrets.token_urlsafe(24)  # Okta chooses the device
        begun = Begun(user, factor, token, self.world.org.direct_interval, None,
                      time.time() + self.world.org.push_lifetime)
        self.world.out_of_band[code] = begun
        reply = {"oob_code": code, "channel": channel,
                 "expires_in": int(self.world.org.push_lifetime)}
        if channel != "push":
            self.send_code(request, user, factor)
            return {**reply, "binding_method": "prompt"}
        begun.push = push = self.world.start_push(user, factor, False)
        reply["interval"] = int(begun.interval)
        if push.number is None:
            return {**reply, "binding_method": "none"}
        return {**reply, "binding_method": "transfer", "binding_code": str(push.number)}

    # --- the token endpoint ------------------------------------------------------------------

    async def post_token(self, request: web.Request, grant: str) -> web.Response:
        form = await self._form(request, grant)
        if "openid" not in str(form.get("scope", "")).split():
            raise OAuthError(400, "invalid_scope", "The scope openid is wanted.")
        if grant == "password":
            return self._password(request, form)
        if grant in (OTP, MFA_OTP):
            user = self._by_token(form) if grant == MFA_OTP else self._by_hint(form)
            return self._passcode(request, user, str(form.get("otp", "")))
        return self._out_of_band(request, form, mfa=grant == MFA_OOB)

    def _password(self, request: web.Request, form: Any) -> web.Response:
        login, password = str(form.get("username", "")), str(form.get("password", ""))
        if not login or not password:
            raise OAuthError(400, "invalid_request", "username and password are wanted.")
        self._throttle(login)
        user = self.world.find_user(login)
        right = user is not None and user.password is not None and \
            hmac.compare_digest(user.password.encode(), password.encode())
        if user is not None and not right:
            user.wrong_passwords += 1
            if 0 < self.world.org.password_lock_after <= user.wrong_passwords:
                user.status = "LOCKED_OUT"
        if user is None or not right or user.status != "ACTIVE":
            raise wrong("The credentials provided were invalid.")
        user.wrong_passwords = 0
        if not self.world.org.direct_password_mfa:
            return self._tokens(request, user, ["pwd"])
        token = secrets.token_urlsafe(15)
        self.world.mfa_tokens[token] = (user.login, time.time())
        return web.json_response({
            "error": "mfa_required", "mfa_token": token,
            "error_description": "Authentication requires verification by an additional factor."},
            status=403)

    def _passcode(self, request: web.Request, user: User, code: str) -> web.Response:
        factors = [f for f in user.factors.values()
                   if f.factor_type in PASSCODES and f.status == "ACTIVE"]
        if any(self.check(f, code) is None for f in factors):
            user.wrong_codes = 0
            return self._tokens(request, user, ["mfa", "otp"])
        user.wrong_codes += 1
        if 0 < self.world.org.lock_after <= user.wrong_codes:
            user.status = "LOCKED_OUT"
        raise wrong("The one-time passcode is invalid.")

    def _out_of_band(self, request: web.Request, form: Any, mfa: bool) -> web.Response:
        code = str(form.get("oob_code", ""))
        begun = self.world.out_of_band.get(code)
        if begun is None or (not mfa and begun.mfa_token):
            raise wrong("The oob_code is invalid.")
        if mfa and (begun.mfa_token != form.get("mfa_token")):
            raise OAuthError(400, "invalid_request", "The oob_code is not of the mfa_token.")
        if begun.used:
            raise wrong("The oob_code was used.")
        if begun.push is None:
            return self._sent_code(request, begun, str(form.get("binding_code", "")))
        return self._poll(request, begun, code)

    def _sent_code(self, request: web.Request, begun: Begun, given: str) -> web.Response:
        if self.check(begun.factor, given) is not None:
            begun.user.wrong_codes += 1
            if 0 < self.world.org.lock_after <= begun.user.wrong_codes:
                begun.user.status = "LOCKED_OUT"
            raise wrong("The binding_code is invalid.")
        begun.used = True
        return self._tokens(request, begun.user, ["mfa", "sms"])

    def _poll(self, request: web.Request, begun: Begun, code: str) -> web.Response:
        push, now, last = begun.push, time.time(), begun.polled
        assert push is not None
        begun.polled = now
        if last and now < last + begun.interval - 0.25:
            begun.interval += SLOW_DOWN
            self.world.hurried += 1
            raise OAuthError(400, "slow_down", "The client polls too often.")
        push.polls += 1
        result = push.result(now)
        if result == "WAITING":
            raise OAuthError(400, "authorization_pending", "The user has not answered yet.")
        if result == "TIMEOUT":
            raise expired(code)
        begun.used = True
        if result != "SUCCESS":
            raise wrong("The user rejected the authentication request.")
        return self._tokens(request, begun.user, ["mfa", "swk"])

    def _tokens(self, request: web.Request, user: User, amr: list[str]) -> web.Response:
        """What is wrong with the ID token, direct_id_token says."""
        what = self.world.org.direct_id_token
        said: dict[str, Any] = {"amr": ["pwd"] if what == "password" else amr}
        if what == "other":
            said["claims"] = {"sub": "00u" + "x" * 17, "preferred_username": "other@example.com"}
        if what == "audience":
            said["claims"] = {"aud": "0oa" + "x" * 17}
        if what == "expired":
            said["claims"] = {"exp": 1_000_000_000, "iat": 999_999_000}
        if what == "unsigned":
            said["alg"] = "none"
        reply = {"token_type": "Bearer", "expires_in": 3600, "scope": "openid profile",
                 "access_token": secrets.token_urlsafe(48)}
        if what != "missing":
            reply["id_token"] = self.browser.id_token(request, user, said)
        return web.json_response(reply)
