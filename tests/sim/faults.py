# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that can go wrong between devtrust and the services, on demand.
#
# A fault says which requests it meets, how often, and what becomes of the answer. Faults that
# replace the answer keep the handler from acting (no push is sent); those that spoil it let it act
# first, as a broken network would.
"""Fault injection."""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Awaitable, Callable, Optional

from aiohttp import web

from tests.sim import graph, okta
from tests.sim.state import SimError

HANG_MAX = 600.0  # seconds a hanging request is kept before it is dropped
HUGE_DEFAULT = 64 * 1024 * 1024
CHUNK = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# kind -> its parameters with their defaults
KINDS: dict[str, dict[str, Any]] = {
    "status": {"status": 500, "code": "", "act": False},
    "rate_limit": {"reset_after": 2, "limit": 600, "retry_after": None, "concurrency": False},
    "json": {"status": 200, "body": {}, "act": False},
    "merge": {"body": {}, "status": 0},
    "headers": {"headers": {}},
    "delay": {"seconds": 1.0},
    "drip": {"seconds": 0.2, "chunk": 1},
    "hang": {"seconds": HANG_MAX, "act": False},
    "truncate": {"keep": 0.5},
    "huge": {"size": HUGE_DEFAULT, "chunked": False, "status": 200},
    "html": {"status": 200},
    "not_json": {"status": 200, "text": '{"factorResult": "SUCC'},
    "content_type": {"value": "text/html"},
    "redirect": {"location": "https://127.0.0.1:1/", "status": 302},
    "reset": {"act": False},
}


@dataclass
class Fault:
    """Which requests it meets (all that is given has to fit), how often, and what it does."""

    kind: str
    listener: str = "*"
    endpoint: str = "*"
    method: str = "*"
    path: str = "*"
    times: Optional[int] = None  # None = until removed
    skip: int = 0  # let this many go by first
    parameters: dict[str, Any] = field(default_factory=dict)
    id: int = 0
    hits: int = 0

    def takes(self, listener: str, request: web.Request, endpoint: str) -> bool:
        pairs = ((listener, self.listener), (endpoint, self.endpoint),
                 (request.method, self.method), (request.path, self.path))
        if not all(fnmatch.fnmatchcase(value, pattern) for value, pattern in pairs):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults that are set; the first one that fits a request is the one that strikes."""

    def __init__(self) -> None:
        self.set: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, values: dict[str, Any]) -> Fault:
        kind = values.get("kind")
        if kind not in KINDS:
            raise SimError(f"kind {kind!r} is none of {', '.join(KINDS)}")
        matching = ("kind", "listener", "endpoint", "method", "path", "times", "skip")
        unknown = set(values) - set(matching) - set(KINDS[kind])
        if unknown:
            raise SimError(f"{kind} has no parameter {', '.join(sorted(unknown))}")
        parameters = {n: values.get(n, default) for n, default in KINDS[kind].items()}
        fault = Fault(id=next(self._ids), parameters=parameters,
                      **{n: values[n] for n in matching if n in values})
        self.set.append(fault)
        return fault

    def remove(self, identifier: int) -> None:
        kept = [f for f in self.set if f.id != identifier]
        if len(kept) == len(self.set):
            raise SimError(f"no fault {identifier}")
        self.set = kept

    def find(self, listener: str, request: web.Request, endpoint: str) -> Optional[Fault]:
        for fault in self.set:
            if fault.takes(listener, request, endpoint):
                return fault
        return None


async def strike(fault: Fault, listener: str, request: web.Request,
                 handler: Handler) -> web.StreamResponse:
    """Answers the request the way the fault wants it."""
    given = fault.parameters
    if fault.kind in ("merge", "headers", "drip", "truncate", "content_type"):
        response = await handler(request)
        assert isinstance(response, web.Response)
        return await _spoil(fault.kind, given, request, response)
    if fault.kind == "delay":
        await asyncio.sleep(given["seconds"])
        return await handler(request)
    if given.get("act"):
        await handler(request)
    return await _replace(fault.kind, given, listener, request)


async def _replace(kind: str, given: dict[str, Any], listener: str,
                   request: web.Request) -> web.StreamResponse:
    if kind == "status":
        return _error(listener, given["status"], given["code"])
    if kind == "rate_limit":
        return _rate_limited(listener, given)
    if kind == "json":
        return web.json_response(given["body"], status=given["status"])
    if kind == "html":
        return web.Response(text="<html><body>Be right back.</body></html>",
                            status=given["status"], content_type="text/html")
    if kind == "not_json":
        return web.Response(text=given["text"], status=given["status"],
                            content_type="application/json")
    if kind == "redirect":
        return web.Response(status=given["status"], headers={"Location": given["location"]})
    if kind == "huge":
        return await _huge(given, request)
    if kind == "hang":
        await _hang(given["seconds"], request)
    return drop_connection(request)


def _error(listener: str, status: int, code: str) -> web.Response:
    if listener == "okta":
        codes = {status: code for code, status in reversed(okta.STATUSES.items())}
        body: dict[str, Any] = okta.error_body(code or codes.get(status, "E0000009"))
    elif listener == "graph":
        code = code or graph.CODES.get(status, "UnknownError")
        body = graph.error_body(code, "The service answers with an error.")
    else:
        body = {"error": code or "temporarily_unavailable",
                "error_description": "AADSTS90033: A transient error has occurred.",
                "error_codes": [90033]}
    return web.json_response(body, status=status)


def _rate_limited(listener: str, given: dict[str, Any]) -> web.Response:
    response = _error(listener, 429, "")
    if given["retry_after"] is not None:
        response.headers["Retry-After"] = str(given["retry_after"])
    if listener == "okta":
        limit = 0 if given["concurrency"] else given["limit"]
        response.headers["X-Rate-Limit-Limit"] = str(limit)
        response.headers["X-Rate-Limit-Remaining"] = "0"
        response.headers["X-Rate-Limit-Reset"] = str(int(time.time()) + given["reset_after"])
    return response


async def _huge(given: dict[str, Any], request: web.Request) -> web.StreamResponse:
    """A well-formed JSON text of `size` bytes, with or without a length up front."""
    response = web.StreamResponse(status=given["status"])
    response.content_type = "application/json"
    if given["chunked"]:
        response.enable_chunked_encoding()
    else:
        response.content_length = given["size"]
    head, tail = b'{"factorResult":"SUCCESS","x":"', b'"}'
    left = given["size"] - len(head) - len(tail)
    try:
        await response.prepare(request)
        await response.write(head)
        while left > 0:
            await response.write(b"a" * min(left, CHUNK))
            left -= CHUNK
        await response.write(tail)
    except (ConnectionError, asyncio.CancelledError):
        drop_connection(request)
    return response


async def _hang(seconds: float, request: web.Request) -> None:
    """Keeps the request until the time is up or the client has gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(0.05)


async def _spoil(kind: str, given: dict[str, Any], request: web.Request,
                 response: web.Response) -> web.StreamResponse:
    if kind == "merge":
        body = merge_patch(json.loads(response.body or b"{}"), given["body"])
        response.body = json.dumps(body).encode()
        if given["status"]:
            response.set_status(given["status"])
    elif kind == "headers":
        for name, value in given["headers"].items():
            response.headers.popall(name, None)  # a value of null only removes
            for item in value if isinstance(value, list) else [value]:
                if item is not None:
                    response.headers.add(name, item)
    elif kind == "content_type":
        response.headers["Content-Type"] = given["value"]
    elif kind == "drip":
        return await _drip(given, request, response)
    else:
        return await _truncate(given["keep"], request, response)
    return response


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def _copy(response: web.Response) -> tuple[web.StreamResponse, bytes]:
    """The same status and headers with the full length announced, and the body apart."""
    body = bytes(response.body or b"")
    copied = web.StreamResponse(status=response.status, headers=response.headers)
    copied.content_length = len(body)
    return copied, body


async def _drip(given: dict[str, Any], request: web.Request,
                response: web.Response) -> web.StreamResponse:
    slow, body = _copy(response)
    try:
        await slow.prepare(request)
        for start in range(0, len(body), given["chunk"]):
            await slow.write(body[start:start + given["chunk"]])
            await asyncio.sleep(given["seconds"])
    except (ConnectionError, asyncio.CancelledError):
        drop_connection(request)
    return slow


async def _truncate(keep: float, request: web.Request,
                    response: web.Response) -> web.StreamResponse:
    short, body = _copy(response)
    await short.prepare(request)
    await short.write(body[:int(len(body) * keep)])
    if request.transport is not None:
        request.transport.close()
    return short


def drop_connection(request: web.Request) -> web.StreamResponse:
    """Ends the connection with a TCP reset: no TLS goodbye, no HTTP."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
