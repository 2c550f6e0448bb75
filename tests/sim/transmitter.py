# SPDX-License-Identifier: GPL-2.0-or-later
# A transmitter of shared signals (SSF 1.0; RFC 8935, RFC 8936) with what can go wrong there: keys
# that rotate, tokens that nobody may believe, answers that are late, refused or too many.
#
# It runs in a thread of the test, so that a test hands it events without a round trip, and the time
# of an event is known by the test's own clock.
"""A simulated transmitter of shared signals."""

from __future__ import annotations

import asyncio
import collections
import http.client
import json
import ssl
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Optional

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.pki.authority import Authority, write_file

CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
AUDIENCE = "https://devtrust.example.com"
LONG_POLL = 30.0  # seconds that a poll is kept open
START_LIMIT = 60.0


def public_jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) \
        else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def server_context(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """The file of a CA of its own, and TLS with a certificate that this CA has signed."""
    authority = Authority.root("devtrust simulated transmitter CA")
    identity = authority.issue_server(("localhost", "127.0.0.1"))
    ca_file = write_file(directory / "transmitter-ca.pem", authority.certificate_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(write_file(directory / "transmitter.pem", identity.chain_pem()),
                            write_file(directory / "transmitter.key", identity.key_pem(), 0o600))
    return Path(ca_file), context


class Transmitter:
    """One transmitter with one stream."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ca_file, self.tls = server_context(directory)
        self.keys: dict[str, Any] = {}
        self.published: list[str] = []
        self.kid = ""
        self.rotate("k1")
        self.token = "static-token-of-the-test"
        self.client_secret = "client-secret-of-the-test"
        self.client_key: Any = None  # public key of private_key_jwt
        self.stream: Optional[dict[str, Any]] = None
        self.stream_status = "enabled"
        self.waiting: "collections.OrderedDict[str, str]" = collections.OrderedDict()
        self.acknowledged: list[str] = []
        self.refused: dict[str, str] = {}
        self.polls: list[dict[str, Any]] = []
        self.faults: dict[str, collections.deque[Any]] = collections.defaultdict(collections.deque)
        self.counts: collections.Counter[str] = collections.Counter()
        self.metadata_changes: dict[str, Any] = {}
        self.long_poll = LONG_POLL
        self.least = 0  # so many at once, whatever is asked for
        self.loop = asyncio.new_event_loop()
        self._changed: Optional[asyncio.Condition] = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    # --- life --------------------------------------------------------------------------------

    def start(self) -> "Transmitter":
        self._thread.start()
        assert self._started.wait(START_LIMIT)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(START_LIMIT)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(START_LIMIT)

    async def _close(self) -> None:
        await self._runner.cleanup()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._open())
        self.loop.run_forever()

    async def _open(self) -> None:
        self._changed = asyncio.Condition()
        app = web.Application()
        for method, path, handler in (
                ("GET", "/.well-known/ssf-configuration/t1", self.get_metadata),
                ("GET", "/keys", self.get_keys), ("POST", "/token", self.post_token),
                ("GET", "/stream", self.get_stream), ("POST", "/stream", self.post_stream),
                ("GET", "/status", self.get_status), ("POST", "/verify", self.post_verify),
                ("POST", "/poll", self.post_poll)):
            app.router.add_route(method, path, self._guarded(path.split("/")[1], handler))
        runner = self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls,
                           shutdown_timeout=0.1)
        await site.start()
        self.port = runner.addresses[0][1]
        self.base = f"https://localhost:{self.port}"
        self.issuer = self.base + "/t1"
        self._started.set()

    def _guarded(self, name: str, handler: Any) -> Any:
        async def run(request: web.Request) -> web.StreamResponse:
            self.counts[name] += 1
            if self.faults[name]:
                fault = self.faults[name].popleft()
                await asyncio.sleep(fault.get("delay", 0))
                if "status" in fault:
                    return web.Response(status=fault["status"], headers=fault.get("headers"),
                                        text=fault.get("text", ""))
            if name in ("stream", "status", "verify", "poll") and \
                    request.headers.get("Authorization") != "Bearer " + self.token:
                return web.Response(status=401)
            return await handler(request)
        return run

    # --- keys and tokens ---------------------------------------------------------------------

    def rotate(self, kid: str, *, curve: bool = False, publish: bool = True) -> None:
        """Signs by a new key from now on; `publish` False: nobody can know it yet."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1()) if curve else \
            rsa.generate_private_key(65537, 2048)
        self.kid = kid
        if publish:
            self.published = [*self.published[-1:], kid]

    def make(self, event: str, members: Optional[dict[str, Any]] = None,
             subject: Optional[dict[str, Any]] = None, *, kid: Optional[str] = None,
             header: Optional[dict[str, Any]] = None, **claims: Any) -> tuple[str, str]:
        """A token's jti and text. Claims that are None are left out."""
        kid = kid or self.kid
        payload = {"iss": self.issuer, "aud": AUDIENCE, "iat": int(time.time()),
                   "jti": uuid.uuid4().hex, "events": {event: members or {}}}
        if subject:
            payload["sub_id"] = subject
        payload = {k: v for k, v in {**payload, **claims}.items() if v is not None}
        key = self.keys[kid]
        algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        token = jwt.encode(payload, key, algorithm=algorithm,
                           headers={"typ": "secevent+jwt", "kid": kid, **(header or {})})
        return payload.get("jti", ""), token

    # --- events ------------------------------------------------------------------------------

    async def _add(self, tokens: list[tuple[str, str]]) -> None:
        assert self._changed is not None
        async with self._changed:
            self.waiting.update(tokens)
            self._changed.notify_all()

    def queue(self, *tokens: tuple[str, str]) -> None:
        """Has them delivered by poll."""
        asyncio.run_coroutine_threadsafe(self._add(list(tokens)), self.loop).result(START_LIMIT)

    def emit(self, event: str, members: Optional[dict[str, Any]] = None,
             subject: Optional[dict[str, Any]] = None, **kwargs: Any) -> str:
        jti, token = self.make(event, members, subject, **kwargs)
        self.queue((jti, token))
        return jti

    # --- the transmitter's endpoints -----------------------------------------------------------

    async def get_metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({
            "issuer": self.issuer, "jwks_uri": self.base + "/keys", "spec_version": "1_0",
            "delivery_methods_supported": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
            "configuration_endpoint": self.base + "/stream",
            "status_endpoint": self.base + "/status",
            "verification_endpoint": self.base + "/verify", **self.metadata_changes})

    async def get_keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [public_jwk(self.keys[k], k) for k in self.published]})

    async def post_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials" or form.get("client_id") != "receiver":
            return web.json_response({"error": "invalid_client"}, status=401)
        if "client_assertion" in form:
            jwt.decode(str(form["client_assertion"]), self.client_key, issuer="receiver",
                       algorithms=["ES256", "RS256"], audience=self.base + "/token",
                       options={"require": ["exp", "jti", "sub"]})
        elif form.get("client_secret") != self.client_secret:
            return web.json_response({"error": "invalid_client"}, status=401)
        self.token = uuid.uuid4().hex
        return web.json_response({"access_token": self.token, "token_type": "Bearer",
                                  "expires_in": 3600, "scope": form.get("scope", "")})

    async def get_stream(self, request: web.Request) -> web.Response:
        if "stream_id" not in request.query:
            return web.json_response([self.stream] if self.stream else [])
        if self.stream and self.stream["stream_id"] == request.query["stream_id"]:
            return web.json_response(self.stream)
        return web.Response(status=404)

    async def post_stream(self, request: web.Request) -> web.Response:
        if self.stream:
            return web.Response(status=409)
        asked = await request.json()
        delivery = dict(asked["delivery"])
        self.push_authorization = delivery.pop("authorization_header", None)
        if delivery["method"] == "urn:ietf:rfc:8936":
            delivery["endpoint_url"] = self.base + "/poll"
        self.stream = {"stream_id": "s1", "iss": self.issuer, "aud": AUDIENCE, "delivery": delivery,
                       "events_requested": asked["events_requested"], "description": "devtrust"}
        return web.json_response(self.stream, status=201)

    async def get_status(self, request: web.Request) -> web.Response:
        return web.json_response({"stream_id": request.query["stream_id"],
                                  "status": self.stream_status})

    async def post_verify(self, request: web.Request) -> web.Response:
        asked = await request.json()
        jti, token = self.make(SSF + "verification", {"state": asked["state"]},
                               {"format": "opaque", "id": asked["stream_id"]})
        self.verification = token
        if self.stream and self.stream["delivery"]["method"] == "urn:ietf:rfc:8936":
            await self._add([(jti, token)])
        return web.Response(status=204)

    async def post_poll(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert self._changed is not None
        async with self._changed:
            self.polls.append(asked)
            for jti in asked.get("ack", []):
                if self.waiting.pop(jti, None) is not None:
                    self.acknowledged.append(jti)
            for jti, why in asked.get("setErrs", {}).items():
                assert request.headers["Content-Language"] and why["description"]
                self.waiting.pop(jti, None)
                self.refused[jti] = why["err"]
            if asked.get("maxEvents") != 0 and not asked.get("returnImmediately"):
                try:
                    await asyncio.wait_for(self._changed.wait_for(lambda: self.waiting),
                                           self.long_poll)
                except asyncio.TimeoutError:
                    pass
            most = self.least or asked.get("maxEvents", 100)
            sets = dict(list(self.waiting.items())[:most])
            return web.json_response({"sets": sets,
                                      "moreAvailable": len(self.waiting) > len(sets)})


def push(port: int, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """POSTs to a receiver as its reverse proxy does; header names have _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body,
                           {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
