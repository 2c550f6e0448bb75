# SPDX-License-Identifier: GPL-2.0-or-later
# The token endpoint of Microsoft Entra: client credentials with a certificate or a
# client secret.
#
# Checks the client assertion as strictly as the documentation describes it, thumbprint header,
# audience and lifetime included, so that a token here means the assertion was right.
"""The simulated Entra token endpoint."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import uuid
from typing import Any, Optional

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.sim.state import World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
COMPLIANCE_SCOPE = "https://api.manage.microsoft.com//.default"  # the resource ends in a slash
CLOCK_SLACK = 300  # seconds, of nbf and exp
ASSERTION_MAX = 16 * 1024

THUMBPRINTS = {"PS256": ("x5t#S256", hashlib.sha256), "RS256": ("x5t", hashlib.sha1)}


class EntraError(Exception):
    """An answer in Entra's error shape: OAuth error word, AADSTS number, text, status."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.text, self.status = error, number, text, status


def error_response(error: EntraError) -> web.Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    text = (f"AADSTS{error.number}: {error.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {moment}")
    return web.json_response({
        "error": error.error, "error_description": text, "error_codes": [error.number],
        "timestamp": moment, "trace_id": trace, "correlation_id": correlation,
    }, status=error.status)


def thumbprint(certificate: x509.Certificate, algorithm: str) -> tuple[str, str]:
    """Header name and value: base64url of the hash of the DER bytes, without padding."""
    header, digest = THUMBPRINTS[algorithm]
    value = digest(certificate.public_bytes(Encoding.DER)).digest()
    return header, base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def refuse(number: int, text: str) -> EntraError:
    return EntraError("invalid_client", number, text, 401)


class EntraApi:
    """The one handler, and the checks it is made of."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add_routes(self, app: web.Application) -> None:
        app.router.add_route("POST", "/{tenant}/oauth2/v2.0/token", self.post_token, name="token")

    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            return await handler(request)
        except EntraError as error:
            return error_response(error)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            return error_response(EntraError("invalid_request", 900144, "No such endpoint.",
                                             error.status))

    def decorate(self, response: web.StreamResponse) -> None:
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers.setdefault("Cache-Control", "no-store, no-cache")
        response.headers.setdefault("Pragma", "no-cache")

    async def post_token(self, request: web.Request) -> web.Response:
        if request.match_info["tenant"].lower() != self.world.tenant.lower():
            raise EntraError("invalid_request", 90002, "Tenant not found.")
        if request.content_type != "application/x-www-form-urlencoded":
            raise EntraError("invalid_request", 900144, "The request body must be a form.")
        form = await request.post()
        client = self._check_form(form)
        if "client_secret" in form:
            self._check_secret(form, client)
        else:
            self._check_assertion(request, str(form["client_assertion"]), client)
        token = secrets.token_urlsafe(48)
        lifetime = self.world.org.token_lifetime
        self.world.access_tokens[token] = (time.time() + lifetime, str(form["scope"]))
        return web.json_response({"token_type": "Bearer", "expires_in": lifetime,
                                  "ext_expires_in": lifetime, "access_token": token})

    def _check_form(self, form: Any) -> str:
        """Returns the client id."""
        for name in ("client_id", "scope", "grant_type"):
            if not form.get(name):
                raise EntraError("invalid_request", 900144,
                                 f"The request body must contain the parameter '{name}'.")
        if form["grant_type"] != "client_credentials":
            raise EntraError("unsupported_grant_type", 70003, "Grant type is not supported.")
        if form["scope"] not in (GRAPH_SCOPE, COMPLIANCE_SCOPE):
            raise EntraError("invalid_scope", 70011, "The provided scope is not valid.")
        if form["client_id"] not in self.world.apps:
            raise EntraError("unauthorized_client", 700016, "Application was not found.")
        if "client_secret" in form:
            return str(form["client_id"])
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise refuse(7000218, "The request must contain client_assertion.")
        return str(form["client_id"])

    def _check_secret(self, form: Any, client: str) -> None:
        if "client_assertion" in form or "client_assertion_type" in form:
            raise refuse(7000216, "Both a client secret and an assertion were sent.")
        wanted = self.world.client_secrets.get(client, "")
        if not wanted or not secrets.compare_digest(str(form["client_secret"]), wanted):
            raise refuse(7000215, "Invalid client secret provided.")

    def _check_assertion(self, request: web.Request, assertion: str, client: str) -> None:
        certificate = self.world.apps[client]
        algorithm = self._check_header(assertion, certificate)
        audience = f"https://{request.host}{request.path}"
        try:
            claims = jwt.decode(
                assertion, certificate.public_key(), algorithms=[algorithm], audience=audience,
                issuer=client, leeway=CLOCK_SLACK,
                options={"require": ["aud", "iss", "sub", "jti", "nbf", "iat", "exp"]})
        except jwt.InvalidAudienceError:
            raise refuse(700023, "Client assertion audience does not match.") from None
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise refuse(700024, "Client assertion is not within its valid time range.") from None
        except jwt.InvalidIssuerError:
            raise refuse(700021, "Client assertion does not match 'client_id'.") from None
        except jwt.InvalidSignatureError:
            raise refuse(700027, "The signature is not valid.") from None
        except jwt.PyJWTError as error:
            raise refuse(50027, f"Invalid JWT token: {error}.") from None
        self._check_claims(claims, client)

    def _check_header(self, assertion: str, certificate: x509.Certificate) -> str:
        """Returns the algorithm, once type, algorithm and thumbprint are those agreed on."""
        if len(assertion) > ASSERTION_MAX:
            raise refuse(50027, "Invalid JWT token: too long.")
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise refuse(50027, "Invalid JWT token: unreadable.") from None
        wanted = self.world.org.assertion_alg
        algorithm = header.get("alg")
        if algorithm not in THUMBPRINTS or wanted not in ("any", algorithm):
            raise refuse(700027, f"Algorithm {algorithm} is not accepted.")
        name, value = thumbprint(certificate, algorithm)
        if header.get("typ") != "JWT" or header.get(name) != value:
            raise refuse(700027, f"typ or {name} does not identify a registered certificate.")
        return algorithm

    def _check_claims(self, claims: dict[str, Any], client: str) -> None:
        if claims["sub"] != client:
            raise refuse(700021, "Client assertion does not match 'client_id'.")
        span = claims["exp"] - claims["iat"]
        if not 0 < span <= self.world.org.assertion_max_lifetime:
            raise refuse(700024, "The lifetime of the client assertion is out of range.")
        identifier, used = claims["jti"], self.world.used_jtis
        if not isinstance(identifier, str) or len(identifier) < 16:
            raise refuse(50027, "Invalid JWT token: jti is too short to be unique.")
        if identifier in used:
            raise refuse(50027, "Invalid JWT token: jti was used before.")
        used[identifier] = claims["exp"]
        for old in [j for j, expiry in used.items() if expiry + CLOCK_SLACK < time.time()]:
            del used[old]


def token_is_live(world: World, authorization: Optional[str], scope: str = GRAPH_SCOPE) -> bool:
    """Whether an Authorization header carries a live access token of this tenant and scope."""
    scheme, _, token = (authorization or "").partition(" ")
    expires, given_for = world.access_tokens.get(token, (0.0, ""))
    return scheme == "Bearer" and expires > time.time() and given_for == scope
