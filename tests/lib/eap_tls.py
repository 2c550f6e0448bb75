# SPDX-License-Identifier: GPL-2.0-or-later
# EAP-TLS (RFC 5216) without a supplicant: many conversations in one process, each of which can stop
# at any point or say what no supplicant would.
"""A client of EAP-TLS over RADIUS."""

from __future__ import annotations

import ssl
import struct
from typing import Any, Callable, Mapping, Optional

from tests.lib.radius import CHALLENGE, Client, Reply

REQUEST, RESPONSE = 1, 2
IDENTITY, NAK, TLS = 1, 3, 13
LENGTH, MORE = 0x80, 0x40
FRAGMENT = 1000  # bytes of TLS in one packet
PIECE = 253  # bytes of EAP in one attribute
ROUNDS_MAX = 50

Change = Callable[[bytes], bytes]


def context(ca_file: str, certificate: Mapping[str, Any], *,
            version: Optional[ssl.TLSVersion] = None) -> ssl.SSLContext:
    """With a certificate of the test PKI; to be shared by many conversations."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(ca_file)
    made.load_cert_chain(certificate["files"]["chain"], certificate["files"]["key"])
    made.maximum_version = version or ssl.TLSVersion.TLSv1_2
    return made


class Conversation:
    """One authentication. `change` sees each flight of the client's TLS before it is sent."""

    def __init__(self, client: Client, identity: str, tls: ssl.SSLContext,
                 change: Optional[Change] = None, **attributes: Any) -> None:
        self.client, self.identity, self.change = client, identity, change
        self.attributes = {"User-Name": identity, **client.defaults,
                           **{k.replace("_", "-"): v for k, v in attributes.items()}}
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing)
        self.flight = b""  # what is still to be sent of the last one
        self.begun = False
        self.finished = False  # the client's handshake
        self.waits: list[float] = []  # seconds that each round took

    def _send(self, eap: bytes, state: Optional[bytes], timeout: float) -> Reply:
        attributes = list(self.attributes.items())
        attributes += [("EAP-Message", eap[i:i + PIECE]) for i in range(0, len(eap), PIECE)]
        if state is not None:
            attributes.append(("State", state))
        reply = self.client.request(attributes).send().wait(timeout)
        self.waits.append(reply.elapsed)
        return reply

    def _tls(self, data: bytes, more: bool) -> bytes:
        """The next EAP-TLS data for what came."""
        self.incoming.write(data)
        if more or (self.flight and not data):
            return self._fragment() if not more else b"\0"
        if data or not self.begun:
            self.begun = True
            try:
                self.tls.do_handshake()
                self.finished = True
            except ssl.SSLWantReadError:
                pass
        flight = self.outgoing.read()
        self.flight = self.change(flight) if self.change and flight else flight
        self._length = len(self.flight)
        return self._fragment()

    def _fragment(self) -> bytes:
        if not self.flight:
            return b"\0"
        part, self.flight = self.flight[:FRAGMENT], self.flight[FRAGMENT:]
        first = len(part) + len(self.flight) == self._length and self.flight
        flags = (MORE if self.flight else 0) | (LENGTH if first else 0)
        return bytes([flags]) + (struct.pack("!I", self._length) if first else b"") + part

    def _answer(self, eap: bytes) -> bytes:
        kind, body = eap[4], eap[5:]
        if kind != TLS:
            return bytes([NAK, TLS])
        data = body[5:] if body[0] & LENGTH else body[1:]
        return bytes([TLS]) + self._tls(data, bool(body[0] & MORE))

    def run(self, timeout: float = 60.0) -> Reply:
        """To its end: the last reply."""
        name = bytes([IDENTITY]) + self.identity.encode()
        reply = self._send(struct.pack("!BBH", RESPONSE, 1, 4 + len(name)) + name, None, timeout)
        for _ in range(ROUNDS_MAX):
            if reply.code != CHALLENGE:
                return reply
            eap = b"".join(reply.all("EAP-Message"))
            if len(eap) < 5 or eap[0] != REQUEST:
                return reply
            answer = self._answer(eap)
            reply = self._send(struct.pack("!BBH", RESPONSE, eap[1], 4 + len(answer)) + answer,
                               reply.state, timeout)
        raise AssertionError("the conversation has no end")
