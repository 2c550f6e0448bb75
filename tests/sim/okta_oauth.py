# SPDX-License-Identifier: GPL-2.0-or-later
# The token endpoint of the org for service apps, and what API requests with such a token must
# look like: private_key_jwt, scopes, DPoP (RFC 9449) with its nonces.
#
# Strict in all that the documentation says, so that a token here means that assertion and proof
# were right.
"""OAuth 2.0 of the simulated Okta org."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Optional

import jwt
from aiohttp import web

from tests.sim.state import World, new_id

PATH = "/oauth2/v1/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_MAX = 3600  # seconds that an assertion may live
PROOF_AGE_MAX = 300
ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

# Route name -> scope; every other route needs the first.
SCOPES = {"verify": "okta.users.manage", "cancel": "okta.users.manage",
          "user_devices": "okta.users.read", "device": "okta.devices.read",
          "devices": "okta.devices.read",
          "device_users": "okta.devices.read", "policies": "okta.policies.read",
          "policy": "okta.policies.read", "rules": "okta.policies.read",
          "mappings": "okta.policies.read", "simulate": "okta.policies.read",
          "zones": "okta.networkZones.read", "groups-list": "okta.groups.read",
          "group": "okta.groups.read", "apps": "okta.apps.read", "app": "okta.apps.read",
          "app_user": "okta.apps.read"}
DEFAULT_SCOPE = "okta.users.read"


class OAuthError(Exception):
    """{"error", "error_description"}, with headers."""

    def __init__(self, status: int, error: str, text: str, headers: Optional[dict[str, str]] = None
                 ) -> None:
        super().__init__(text)
        self.status, self.error, self.text, self.headers = status, error, text, headers or {}

    def response(self) -> web.Response:
        return web.json_response({"error": self.error, "error_description": self.text},
                                 status=self.status, headers=self.headers)


@dataclass
class Token:
    expires: float
    scopes: frozenset[str]
    key: str  # thumbprint of the key that it is bound to; "" = none


def client_error(text: str) -> OAuthError:
    return OAuthError(401, "invalid_client", text)


def proof_error(text: str) -> OAuthError:
    return OAuthError(400, "invalid_dpop_proof", text)


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638."""
    members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}[jwk["kty"]]
    text = json.dumps({m: jwk[m] for m in members}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class OAuth:
    """Tokens of the org's service app."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self) -> float:
        return time.time() + self.world.org.date_skew

    # --- the token endpoint ------------------------------------------------------------------

    async def post_token(self, request: web.Request) -> web.Response:
        org = self.world.org
        if request.content_type != "application/x-www-form-urlencoded":
            raise OAuthError(400, "invalid_request", "The request must be a form.")
        if "Authorization" in request.headers:
            raise client_error("A service app authenticates by private_key_jwt alone.")
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            raise OAuthError(400, "unsupported_grant_type", "client_credentials is wanted.")
        self._check_assertion(request, form)
        if org.oauth_outside_zone:
            raise OAuthError(403, "access_denied", "The client is not in a permitted zone.")
        key = self._bound_key(request)
        scopes = str(form.get("scope", "")).split()
        missing = [s for s in scopes if s not in org.oauth_scopes.split()]
        if missing or not scopes:
            raise OAuthError(400, "invalid_scope", f"Not granted: {' '.join(missing)}")
        token = secrets.token_urlsafe(org.oauth_token_bytes)
        self.world.okta_tokens[token] = Token(self.now() + org.oauth_token_lifetime,
                                              frozenset(scopes), key)
        return web.json_response({
            "token_type": "DPoP" if key else "Bearer", "expires_in": org.oauth_token_lifetime,
            "access_token": token, "scope": " ".join(scopes)})

    def _bound_key(self, request: web.Request) -> str:
        """The key that the token is for; "" where the app does not bind its tokens."""
        org = self.world.org
        if "DPoP" not in request.headers:
            if org.oauth_dpop:
                raise proof_error("The DPoP proof JWT header is missing.")
            return ""
        if not org.oauth_dpop:
            raise proof_error("The client does not use DPoP.")
        claims, key = self._proof(request)
        self._check_nonce(claims, 400, org.oauth_token_nonce)
        if "ath" in claims:
            raise proof_error("There is no token yet.")
        return key

    def _check_assertion(self, request: web.Request, form: Any) -> None:
        assertion = str(form.get("client_assertion", ""))
        if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
            raise client_error("A client assertion is wanted.")
        if "client_secret" in form:
            raise client_error("Client secrets are not for service apps.")
        claims = self._verify(assertion)
        client = self.world.okta_client
        if claims.get("iss") != client or claims.get("sub") != client:
            raise client_error("iss and sub must be the client id.")
        if claims.get("aud") != f"https://{request.host}{PATH}":
            raise client_error("The audience is not the token endpoint.")
        expiry, issued = claims.get("exp"), claims.get("iat", 0)
        if type(expiry) is not int or type(issued) is not int:
            raise client_error("exp and iat are whole numbers.")
        if expiry <= self.now():
            raise client_error("The assertion has expired.")
        if expiry > self.now() + LIFETIME_MAX or issued > self.now():
            raise client_error("exp is too far away, or iat in the future.")
        self._use_once(claims, client_error)

    def _verify(self, assertion: str) -> dict[str, Any]:
        """The claims, once a key that is active at the app has signed them."""
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise client_error("The assertion cannot be read.") from None
        active = self.world.org.oauth_kids.split()
        if header.get("alg") not in ALGORITHMS:
            raise client_error("RS256 or ES256 is wanted.")
        if "kid" not in header and len(active) != 1:
            raise client_error("kid is missing, and the app has several keys.")
        kid = header.get("kid", active[0] if active else "")
        if kid not in active:
            raise client_error(f"kid {kid} is not known.")
        try:
            return jwt.decode(assertion, self.world.okta_keys[kid], algorithms=[header["alg"]],
                              options={"verify_aud": False, "verify_exp": False,
                                       "verify_iat": False})
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise client_error(f"The signature is not valid: {error}") from None

    def _use_once(self, claims: dict[str, Any], refuse: Any) -> None:
        jti, used = claims.get("jti"), self.world.used_jtis
        if not isinstance(jti, str) or len(jti) < 16:
            raise refuse("jti is missing, or too short to be unique.")
        if jti in used:
            raise refuse("jti was used before.")
        used[jti] = time.time() + LIFETIME_MAX

    # --- proofs ------------------------------------------------------------------------------

    def _proof(self, request: web.Request) -> tuple[dict[str, Any], str]:
        """Claims and the thumbprint of the key of the one DPoP header."""
        proofs = request.headers.getall("DPoP", [])
        if len(proofs) != 1:
            raise proof_error("There must be one DPoP header.")
        try:
            header = jwt.get_unverified_header(proofs[0])
            jwk = header["jwk"]
            if header.get("typ") != "dpop+jwt" or header.get("alg") not in ALGORITHMS or \
                    PRIVATE_MEMBERS & set(jwk) or jwk["kty"] != ALGORITHMS[header["alg"]]:
                raise proof_error("typ, alg or jwk is not right.")
            kind = jwt.algorithms.ECAlgorithm if jwk["kty"] == "EC" else jwt.algorithms.RSAAlgorithm
            claims = jwt.decode(proofs[0], kind.from_jwk(json.dumps(jwk)),
                                algorithms=[header["alg"]], options={"verify_iat": False})
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise proof_error(f"The proof is not valid: {error}") from None
        address = f"https://{request.host}{request.rel_url.raw_path}"
        if claims.get("htm") != request.method or claims.get("htu") != address:
            raise proof_error("htm or htu is of another request.")
        issued = claims.get("iat")
        if type(issued) is not int or abs(issued - self.now()) > PROOF_AGE_MAX:
            raise proof_error("iat is too far away.")
        key = thumbprint(jwk)
        if key in self.world.assertion_thumbprints:
            raise proof_error("The proof has the key of the client assertion.")
        self._use_once(claims, proof_error)
        return claims, key

    def _check_nonce(self, claims: dict[str, Any], status: int, wanted: bool) -> None:
        nonce = f"{self.world.nonce_seed}-{self.world.org.oauth_nonce_number}"
        if wanted and claims.get("nonce") != nonce:
            raise OAuthError(status, "use_dpop_nonce", "Use the nonce of the header.",
                             {"dpop-nonce": nonce,
                              "WWW-Authenticate": 'DPoP error="use_dpop_nonce"'})

    # --- API requests ------------------------------------------------------------------------

    def check(self, request: web.Request) -> Optional[str]:
        """None for a token that is good for this request; "" for one that is none; else the scope
        that it lacks."""
        scheme, _, text = request.headers["Authorization"].partition(" ")
        token = self.world.okta_tokens.get(text)
        if token is None or token.expires <= self.now():
            return ""
        if bool(token.key) != (scheme == "DPoP"):
            raise OAuthError(400, "invalid_request", "The token is bound to a key.")
        if token.key:
            claims, key = self._proof(request)
            digest = hashlib.sha256(text.encode()).digest()
            if key != token.key or claims.get("ath") != base64.urlsafe_b64encode(
                    digest).rstrip(b"=").decode():
                raise proof_error("The token is bound to another key, or ath is not its hash.")
            self._check_nonce(claims, 401, self.world.org.oauth_api_nonce)
        scope = SCOPES.get(request.match_info.route.name or "", DEFAULT_SCOPE)
        if not self.world.org.oauth_admin_role or scope not in token.scopes:
            return scope
        return None


def make_client(world: World) -> None:
    world.okta_client = new_id("0oa")
    world.native_client = new_id("0oa")
    world.nonce_seed = secrets.token_urlsafe(12)
