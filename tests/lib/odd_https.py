# SPDX-License-Identifier: GPL-2.0-or-later
# An HTTPS server that misbehaves on request, for the unit tests of the HTTP client and the driver.
#
# Exists beside tests/sim because it speaks raw bytes: a reply cut in the middle, one that is no
# HTTP, one that never ends cannot be had from a well-behaved server library. It knows just enough
# of Okta, Entra and Graph for whole sign-ons by the thousand.
"""usage: odd_https.py DIRECTORY

Makes a site in DIRECTORY, prints "name value" lines, then "ready"; ends when stdin does."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Awaitable, Callable, Optional
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.pki import authority as ca, tls  # noqa: E402

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "99999999-2222-4333-8444-555555555555"
HUGE = 600 * 1024  # more than a reply may be
FOREVER = 3600.0   # seconds; longer than any test waits


class State:
    """What tests count and switch."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.settings: dict[str, str] = {}
        self.token = 0
        self.connections = 0
        self.polls: dict[str, int] = {}
        self.origin = ""

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def get(self, name: str, fallback: str = "") -> str:
        return self.settings.get(name, fallback)


class Request:
    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body


Writer = asyncio.StreamWriter
state = State()


def reply(status: int, body: bytes = b"{}", *lines: str, length: Optional[int] = None) -> bytes:
    head = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json",
            f"Content-Length: {len(body) if length is None else length}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def json_reply(status: int, value: object, *lines: str) -> bytes:
    return reply(status, json.dumps(value).encode(), *lines)


# --- misbehaviour: each deals with the connection itself ------------------------------------------

async def stall(writer: Writer) -> None:
    await asyncio.sleep(FOREVER)


async def drip(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_headers(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.transport.is_closing():
        writer.write(b"X-Filler: " + b"y" * 1000 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)


def end_with_rst(writer: Writer) -> None:
    """A TCP reset instead of a goodbye."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                               struct.pack("ii", 1, 0))
    writer.transport.abort()


async def reset(writer: Writer) -> None:
    end_with_rst(writer)


async def late_reset(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    await asyncio.sleep(0.2)
    end_with_rst(writer)


async def close(writer: Writer) -> None:
    writer.close()


ODD: dict[str, Callable[[Writer], Awaitable[None]]] = {
    "/stall": stall, "/drip": drip, "/endless-headers": endless_headers, "/reset": reset,
    "/late-reset": late_reset, "/close": close,
}

HEADERS = ("Date: Sun, 06 Nov 1994 08:49:37 GMT", "x-rate-limit-limit: 600",
           "X-RATE-LIMIT-REMAINING: 599", "X-Rate-Limit-Reset: 1700000060",
           'link: <https://localhost/self>; rel="self"',
           'Link: <https://localhost/next?a=1,2>; rel="next", <https://localhost/x>; rel="last"')

RAW: dict[str, bytes] = {
    "/ok": reply(200, b"fine"),
    "/empty": reply(204, b""),
    **{f"/redirect/{status}/{i}": reply(status, b"", f"Location: {target}?token=secret")
       for status in (301, 302, 303, 307, 308) for i, target in enumerate(
           ("https://localhost:1/elsewhere", "http://localhost/plain", "/ok"))},
    "/truncated": reply(200, b"half of it", length=1000),
    "/huge": reply(200, b"x" * HUGE),
    "/huge-unannounced": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * HUGE,
    "/garbage": b"\x00\x01\x02 this is not HTTP\r\n\r\n",
    "/http09": b"<html>an answer as of 1991</html>",
    "/bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "/cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhello",
    "/bad-status": b"HTTP/1.1 xyz Huh\r\nContent-Length: 0\r\n\r\n",
    "/interim": b"HTTP/1.1 103 Early\r\nX-Rate-Limit-Limit: 5\r\n\r\n" + reply(200, b"late"),
    "/headers": reply(200, b"{}", *HEADERS),
    "/retry-seconds": reply(429, b"{}", "Retry-After: 7"),
    "/retry-date": reply(503, b"{}", "Date: Sun, 06 Nov 1994 08:49:37 GMT",
                         "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT"),
    "/retry-nonsense": reply(503, b"{}", "Retry-After: soon", "X-Rate-Limit-Limit: -3",
                             "X-Rate-Limit-Remaining: 99999999999999999999",
                             "X-Rate-Limit-Reset: 12x", "Date: yesterday", "Link: nonsense"),
    "/long-link": reply(200, b"{}", "Link: <https://localhost/" + "z" * 3000 + '>; rel="next"'),
}
CUT = {"/truncated", "/garbage", "/http09", "/huge-unannounced", "/cut-chunk", "/bad-status"}


# --- just enough of Okta, Entra and Graph --------------------------------------------------------

async def token(request: Request) -> bytes:
    state.count("token")
    await asyncio.sleep(float(state.get("token_delay", "0")))
    mode = state.get("token_mode", "ok")
    if mode == "refuse":
        return json_reply(401, {"error": "invalid_client",
                                "error_description": "AADSTS7000 \x1b[31mno"})
    if mode == "garbage":
        return reply(200, b"no json")
    if b"client_assertion=" not in request.body or b"eyJ" not in request.body:
        return json_reply(400, {"error": "invalid_request"})
    state.token += 1
    return json_reply(200, {"token_type": "Bearer",
                            "expires_in": int(state.get("token_life", "3600")),
                            "access_token": f"token-{state.token}"})


async def device(request: Request) -> bytes:
    state.count("device")
    if request.headers.get("authorization") != f"Bearer token-{state.token}" \
            or state.get("graph_mode") == "unauthorized":
        state.count("device_unauthorized")
        await asyncio.sleep(float(state.get("unauthorized_delay", "0")))
        return json_reply(401, {"error": {"code": "InvalidAuthenticationToken",
                                          "message": "no"}})
    await asyncio.sleep(float(state.get("graph_delay", "0")))
    identifier = request.path.split("/")[-1].split("?")[0]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json_reply(200, {
        "id": identifier, "azureADDeviceId": TENANT, "deviceName": "LAPTOP",
        "complianceState": state.get("compliance", "compliant"), "managementState": "managed",
        "operatingSystem": "Windows", "lastSyncDateTime": now, "userPrincipalName": "a@b.c",
        "deviceRegistrationState": "registered", "jailBroken": "Unknown",
        "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z"})


def verification(user: str, result: str) -> dict[str, object]:
    base = f"{state.origin}/api/v1/users/{user}/factors/opf1/transactions/v2mst.{user}"
    challenge = {"_embedded": {"challenge": {"correctAnswer": int(state.get("number"))}}} \
        if state.get("number") and result == "WAITING" else {}
    return {"factorResult": result, **challenge,
            "expiresAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 300)),
            "_links": {"poll": {"href": base, "hints": {"allow": ["GET"]}},
                       "cancel": {"href": base, "hints": {"allow": ["DELETE"]}}}}


async def okta(request: Request) -> bytes:
    if not request.headers.get("authorization", "").startswith("SSWS "):
        return json_reply(401, {"errorCode": "E0000011", "errorSummary": "Invalid token"})
    await asyncio.sleep(float(state.get("okta_delay", "0")))
    parts = request.path.split("?")[0].split("/")[3:]
    user = unquote(parts[1])
    limits = ("X-Rate-Limit-Limit: 100000", "X-Rate-Limit-Remaining: 99999")
    if len(parts) == 2:
        state.count("user")
        identifier = "00u" + re.sub("[^A-Za-z0-9]", "", user)
        return json_reply(200, {"id": identifier, "status": "ACTIVE",
                                "profile": {"login": user}}, *limits)
    if parts[2:] == ["factors"]:
        state.count("factors")
        return json_reply(200, [{"id": "opf1", "factorType": "push", "provider": "OKTA",
                                 "status": "ACTIVE"}], *limits)
    if parts[-1] == "verify":
        state.count("verify")
        return json_reply(201, verification(user, "WAITING"), *limits)
    if request.method == "DELETE":
        state.count("cancel")
        return reply(204, b"")
    state.count("poll")
    state.polls[user] = state.polls.get(user, 0) + 1
    wanted = int(state.get("polls_wanted", "1"))
    ended = state.get("poll_result", "SUCCESS")
    result = ended if state.polls[user] >= wanted else "WAITING"
    return json_reply(200, verification(user, result), *limits)


def control(path: str) -> bytes:
    """/control/count/NAME, /control/set/NAME/VALUE, /control/reset, /control/revoke."""
    parts = path.split("/")[2:]
    if parts[0] == "count":
        return reply(200, str(state.counts.get(parts[1], 0)).encode())
    if parts[0] == "set":
        state.settings[parts[1]] = parts[2]
    elif parts[0] == "revoke":
        state.token += 1
    elif parts[0] == "reset":
        state.counts.clear()
        state.settings.clear()
        state.polls.clear()
    return reply(200, b"ok")


async def answer(request: Request, connection: int) -> bytes:
    path = request.path
    if path in RAW:
        return RAW[path]
    if path.startswith("/status/"):
        return reply(int(path.split("/")[2]))
    if path == "/connection":
        return reply(200, str(connection).encode())
    if path.startswith("/control/"):
        return control(path)
    if path.endswith("/oauth2/v2.0/token"):
        return await token(request)
    if path.startswith("/v1.0/deviceManagement/managedDevices/"):
        return await device(request)
    if path.startswith("/api/v1/users/"):
        return await okta(request)
    if path == "/echo":
        return json_reply(200, {"method": request.method, "headers": request.headers,
                                "body": request.body.decode()})
    return json_reply(404, {"path": path})


async def read_request(reader: asyncio.StreamReader) -> Optional[Request]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _version = head[0].split(" ")
    headers = {}
    for line in head[1:]:
        if line:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
    state.connections += 1
    connection = state.connections
    try:
        while True:
            request = await read_request(reader)
            state.count(request.method + request.path.replace("/", "-"))
            odd = ODD.get(request.path)
            if odd is not None:
                await odd(writer)
                return
            writer.write(await answer(request, connection))
            await writer.drain()
            if request.path in CUT:
                return
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, ValueError):
        pass
    finally:
        writer.close()


# --- the site ------------------------------------------------------------------------------------

POLICY = {"name": "vpn", "application": "vpn", "rules": [
    {"name": "trusted", "priority": 1, "status": "ACTIVE",
     "conditions": {"device": {"trust": "TRUSTED"}},
     "actions": {"appSignOn": {"access": "ALLOW"}}},
    {"name": "not trusted", "priority": 2, "status": "ACTIVE",
     "conditions": {"device": {"trust": "NOT_TRUSTED"}},
     "actions": {"appSignOn": {"access": "ALLOW", "promptForFactor": {
         "frequency": "EVERY_SIGN_ON", "factors": ["push"]}}}},
    {"name": "rest", "priority": 99, "status": "ACTIVE", "conditions": {},
     "actions": {"appSignOn": {"access": "DENY"}}}]}


def make_site(directory: Path, root: ca.Authority, url: str) -> None:
    graph = root.issue(ca.name("devtrust"), ca.make_key("rsa2048"))
    for name, content, mode in (
            ("graph.pem", graph.certificate_pem(), 0o644), ("graph.key", graph.key_pem(), 0o600),
            ("okta.token", b"00secrettoken\n", 0o600), ("state.key", os.urandom(32), 0o600),
            ("devices.pem", root.certificate_pem(), 0o644),
            ("policies/vpn.json", json.dumps(POLICY).encode(), 0o644)):
        ca.write_file(directory / name, content, mode)
    os.makedirs(directory / "state", mode=0o700, exist_ok=True)
    d = directory
    ca.write_file(directory / "devtrust.conf", f"""
[okta]
org_url = {url}
api_token_file = {d}/okta.token
ca_file = {d}/ca.pem
timeout = 10s
poll_interval = 250ms
[user_name]
login_suffix = @example.com
[intune]
tenant_id = {TENANT}
client_id = {CLIENT}
certificate_file = {d}/graph.pem
key_file = {d}/graph.key
login_url = {url}
graph_url = {url}
ca_file = {d}/ca.pem
timeout = 10s
[device_trust]
trusted_when = vpn-client+intune
ca_file = {d}/devices.pem
[policy]
directory = {d}/policies
unknown_device_as = not_trusted
[mfa]
push_limit = 1000
[store]
path = {d}/state/state.db
state_key_file = {d}/state.key
[audit]
file = {d}/audit.log
syslog = no
""".encode())


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def serve_mute(reader: asyncio.StreamReader, _writer: Writer) -> None:
    await reader.read()


async def serve_abort(reader: asyncio.StreamReader, writer: Writer) -> None:
    await reader.read(1)
    end_with_rst(writer)


def odd_protocol() -> asyncio.StreamReaderProtocol:
    return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)


def port_of(server: asyncio.AbstractServer) -> int:
    return int(server.sockets[0].getsockname()[1])


async def main(directory: Path) -> None:
    root, foreign = ca.Authority.root("Odd CA"), ca.Authority.root("Foreign CA")
    ca.write_file(directory / "ca.pem", root.certificate_pem())
    ca.write_file(directory / "foreign-ca.pem", foreign.certificate_pem())
    servers = tls.Servers(directory, root, foreign, ("localhost", "127.0.0.1"))
    ports: dict[str, int] = {}
    for name in ("good", *tls.BAD):
        ports[name] = port_of(await servers.listen(name, odd_protocol, backlog=1024))
    ports["mute"] = port_of(await asyncio.start_server(serve_mute, "127.0.0.1", 0))
    ports["abort"] = port_of(await asyncio.start_server(serve_abort, "127.0.0.1", 0))
    ports["closed"] = closed_port()
    state.origin = f"https://localhost:{ports['good']}"
    make_site(directory, root, state.origin)
    for name, port in ports.items():
        print(name, port)
    print("ready", 1, flush=True)
    await asyncio.get_running_loop().create_future()


def end_with_stdin() -> None:
    """Whoever started this is gone: so is this."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would tell what was asked for
    threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(main(Path(sys.argv[1])))
