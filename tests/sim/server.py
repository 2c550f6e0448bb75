# SPDX-License-Identifier: GPL-2.0-or-later
# The HTTPS side: four listeners, what every request goes through, the request log.
#
# Each service has a port of its own, so that one can fail while the others go on. A listener can be
# taken down, kept silent, or given a certificate that no client may accept.
"""HTTPS listeners of the simulated services."""

from __future__ import annotations

import asyncio
import collections
import time
from pathlib import Path
from typing import Any, Optional, Union

from aiohttp import web

from tests.pki import tls
from tests.pki.authority import Authority, write_file
from tests.sim.compliance import ComplianceApi
from tests.sim.entra import EntraApi
from tests.sim.faults import Faults, strike
from tests.sim.graph import GraphApi
from tests.sim.okta import OktaApi
from tests.sim.state import REQUESTS_MAX, SimError

Api = Union[OktaApi, EntraApi, GraphApi, ComplianceApi]

ADDRESS = "127.0.0.1"
NAMES = ("localhost", "127.0.0.1", "*.sim.test")
BACKLOG = 4096
KEEP_ALIVE = 600.0  # seconds an idle connection is kept
BODY_MAX = 64 * 1024

CERTIFICATES = ("good", *tls.BAD)
STATES = ("up", "down", "silent")


class Log:
    """Which requests came, and how many of each kind."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forgets all but the requests that are being answered right now."""
        self.counters: collections.Counter[str] = collections.Counter()
        self.requests: collections.deque[dict[str, Any]] = collections.deque(maxlen=REQUESTS_MAX)
        self.peak_in_flight = self.in_flight

    def begin(self, listener: str, endpoint: str, request: web.Request) -> dict[str, Any]:
        """Headers and bodies stay out: they hold tokens and passcodes."""
        entry = {"time": time.time(), "listener": listener, "endpoint": endpoint,
                 "method": request.method, "path": request.rel_url.raw_path,
                 "query": request.rel_url.raw_query_string,
                 "user_agent": request.headers.get("User-Agent", ""),
                 "status": None, "fault": None}
        self.requests.append(entry)
        self.counters[listener + ".total"] += 1
        self.counters[f"{listener}.{endpoint}"] += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        return entry


class TlsFiles:
    """The simulated services' own CA, and TLS good and bad."""

    def __init__(self, directory: Path) -> None:
        authority = Authority.root("devtrust simulated services CA")
        foreign = Authority.root("devtrust simulated foreign CA")
        self.ca_file = write_file(directory / "sim-ca.pem", authority.certificate_pem())
        self.servers = tls.Servers(directory, authority, foreign, NAMES)


class _Silent(asyncio.Protocol):
    """Takes connections and never says a word."""

    def __init__(self, connections: set[asyncio.BaseTransport]) -> None:
        self.connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connections.add(transport)
        self.transport = transport

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self.connections.discard(self.transport)


class Listener:
    """One HTTPS port with one service behind it."""

    def __init__(self, name: str, api: Api, faults: Faults, log: Log) -> None:
        self.name, self.api, self.faults, self.log = name, api, faults, log
        self.port = 0
        self.state = "down"
        self.certificate = "good"
        self.connections = 0
        self._server: Optional[asyncio.AbstractServer] = None
        self._silent: set[asyncio.BaseTransport] = set()
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._handle])
        api.add_routes(app)
        app.on_response_prepare.append(self._prepare)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE,
                                     handle_signals=False)

    async def open(self, files: TlsFiles, port: int) -> None:
        self.tls, self.port = files, port
        await self._runner.setup()
        await self.set("up", "good")

    async def set(self, state: str, certificate: str) -> None:
        """Every change ends all connections; the port stays the same."""
        if state not in STATES or certificate not in CERTIFICATES:
            raise SimError(f"state is one of {STATES}, certificate one of {CERTIFICATES}")
        await self.close()
        loop = asyncio.get_running_loop()
        if state == "up":
            self._server = await self.tls.servers.listen(
                certificate, self._accept, self.port, backlog=BACKLOG, ssl_handshake_timeout=30.0)
        elif state == "silent":
            self._server = await loop.create_server(lambda: _Silent(self._silent), ADDRESS,
                                                    self.port, backlog=BACKLOG)
        if self._server is not None:
            self.port = self._server.sockets[0].getsockname()[1]
        self.state, self.certificate = state, certificate

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self._silent):
            transport.abort()  # type: ignore[attr-defined]
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        self.state = "down"

    async def shut_down(self) -> None:
        await self.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        self.connections += 1
        assert self._runner.server is not None
        return self._runner.server()

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.port}"

    @web.middleware
    async def _handle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Log, fault, service, and the headers that the service always sends."""
        endpoint = request.match_info.route.name or "other"
        entry = self.log.begin(self.name, endpoint, request)
        log = self.log

        async def serve(request: web.Request) -> web.StreamResponse:
            response = await self.api.guard(request, handler)
            self._decorate(response)
            return response

        try:
            fault = self.faults.find(self.name, request, endpoint)
            if fault is None:
                response = await serve(request)
            else:
                entry["fault"] = fault.id
                response = await strike(fault, self.name, request, serve)
            entry["status"] = response.status
            return response
        finally:
            log.in_flight -= 1

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """The last moment before the headers go out; a fault may have made its own answer."""
        self._decorate(response)

    def _decorate(self, response: web.StreamResponse) -> None:
        if "decorated" not in response:
            response["decorated"] = True
            self.api.decorate(response)
