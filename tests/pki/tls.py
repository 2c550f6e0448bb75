# SPDX-License-Identifier: GPL-2.0-or-later
# TLS of servers, good and bad: what the simulated services and the odd server present to devtrust.
"""The kinds of TLS servers that a client must tell apart."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Iterable

from tests.pki import authority as ca

# Certificates that are not accepted; the CA that is trusted signed each, unless it says otherwise.
BAD_CERTIFICATES = ("wrong_name", "expired", "not_yet_valid", "self_signed", "foreign",
                    "for_clients", "small_key")
# A good certificate, and less of TLS than is accepted: versions before 1.2 (of a server that has
# nothing else, and of one that answers so whatever it was asked), no encryption, no certificate.
BAD_PROTOCOLS = ("tls_1_1", "downgrade", "no_encryption", "anonymous")
# Not TLS at all: HTTP, and a record that ends in its middle.
NOT_TLS = ("plain", "cut_record")
BAD = BAD_CERTIFICATES + BAD_PROTOCOLS + NOT_TLS

HELLO_MAX = 16 * 1024
_CIPHERS = {"no_encryption": "eNULL:@SECLEVEL=0", "anonymous": "aNULL:@SECLEVEL=0",
            "small_key": "DEFAULT:@SECLEVEL=0", "tls_1_1": "ALL:@SECLEVEL=0"}
_SAID = {
    # As a web server does on its HTTP port.
    "plain": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    # The head of a ServerHello of 90 bytes, and 4 of these.
    "cut_record": bytes.fromhex("160303005a02000056"),
    # A whole ServerHello of TLS 1.1, with ECDHE-RSA-AES128-SHA.
    "downgrade": bytes.fromhex("16030200310200002d0302" + "5a" * 32 + "00c013000005ff01000100"),
}


def _self_signed(names: Iterable[str]) -> ca.Identity:
    """Its own issuer, and no CA."""
    first = ca.Authority.root("unused").issue_server(names)
    kept = ("keyUsage", "extendedKeyUsage", "subjectAltName")
    extensions = [(e.value, e.critical) for e in first.certificate.extensions
                  if e.oid._name in kept]
    return ca.Authority(first.key, first.certificate).issue(
        first.certificate.subject, first.key, extensions=extensions)


def _identity(kind: str, root: ca.Authority, foreign: ca.Authority,
              names: Iterable[str]) -> ca.Identity:
    now = ca.now()
    makers: dict[str, Callable[[], ca.Identity]] = {
        "wrong_name": lambda: root.issue_server(["elsewhere.example"]),
        "expired": lambda: root.issue_server(names, not_before=now - 30 * ca.DAY,
                                             not_after=now - ca.DAY),
        "not_yet_valid": lambda: root.issue_server(names, not_before=now + timedelta(hours=1),
                                                   not_after=now + 30 * ca.DAY),
        "self_signed": lambda: _self_signed(names),
        "foreign": lambda: foreign.issue_server(names),
        "for_clients": lambda: root.issue_server(names, purpose=ca.CLIENT_AUTH),
        "small_key": lambda: root.issue_server(names, key_kind="rsa1024")}
    return makers[kind]() if kind in makers else root.issue_server(names)


def _context(kind: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if kind in ("no_encryption", "anonymous"):
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 has none such
    if kind == "tls_1_1":
        with warnings.catch_warnings():  # it is old on purpose
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    if kind in _CIPHERS:
        context.set_ciphers(_CIPHERS[kind])
    return context


class Servers:
    """One TLS server for each kind, "good" among them."""

    def __init__(self, directory: Path, root: ca.Authority, foreign: ca.Authority,
                 names: Iterable[str]) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        for kind in ("good", *BAD_CERTIFICATES, *BAD_PROTOCOLS):
            identity = _identity(kind, root, foreign, names)
            certificate = ca.write_file(directory / f"tls-{kind}.pem", identity.chain_pem())
            key = ca.write_file(directory / f"tls-{kind}.key", identity.key_pem(), 0o600)
            self._contexts[kind] = _context(kind)
            self._contexts[kind].load_cert_chain(certificate, key)

    def context(self, kind: str) -> ssl.SSLContext:
        return self._contexts[kind]

    def first_answer(self, kind: str, hello: bytes) -> bytes:
        """What a server that makes no TLS connection says to a ClientHello, an alert included:
        asyncio's own TLS sends none."""
        if kind in _SAID:
            return _SAID[kind]
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        received.write(hello)
        try:
            self._contexts[kind].wrap_bio(received, sent, server_side=True).do_handshake()
        except ssl.SSLError:
            pass
        return sent.read()

    async def listen(self, kind: str, protocol: Callable[[], Any], port: int = 0,
                     **options: Any) -> asyncio.AbstractServer:
        """Opens a server on 127.0.0.1; `protocol` speaks over each TLS connection."""
        loop = asyncio.get_running_loop()
        if kind in BAD_PROTOCOLS + NOT_TLS:
            async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(self.first_answer(kind, await reader.read(HELLO_MAX)))
                writer.close()
            return await asyncio.start_server(refuse, "127.0.0.1", port)
        return await loop.create_server(protocol, "127.0.0.1", port,
                                        ssl=self._contexts[kind], **options)
