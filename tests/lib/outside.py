# SPDX-License-Identifier: GPL-2.0-or-later
# The network outside a workstation, to be taken away: a cable, a name server, and the way to the
# simulated services. The workstation is a network namespace of its own.
"""A workstation's network: Outside."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import subprocess
import threading
from typing import Any, Optional
from urllib.parse import urlsplit

from tests.lib import vpn
from tests.sim.client import Sim

DOMAIN = "sim.test"  # of the names in the simulation's certificates
DNS_PORT = 53
REFUSED, NO_NAME = 5, 3  # RFC 1035, section 4.1.1
TYPE_A = 1
CHUNK = 65536


class Outside(vpn.Network):
    """A context manager. `laptop` is the workstation's network namespace."""

    def __enter__(self) -> "Outside":
        super().__enter__()
        self._closing = contextlib.ExitStack()
        self._closing.callback(super().__exit__, None, None, None)
        self.names = "answers"
        self.asked = 0  # questions that have come to the name server
        stop, self._stop = os.pipe()
        self._closing.callback(os.close, stop)
        self._closing.callback(os.close, self._stop)
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(stop, selectors.EVENT_READ)
        self._dns = socket_of(self, DNS_PORT, socket.SOCK_DGRAM, self._closing)
        self._waiting.register(self._dns, selectors.EVENT_READ, self._answer)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        thread = threading.Thread(target=self._run)
        thread.start()
        self._closing.callback(thread.join)
        self._closing.callback(os.write, self._stop, b"x")
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    # --- the way to the simulation --------------------------------------------------------------

    def lead_to(self, sim: Sim) -> dict[str, dict[str, Any]]:
        """From now on its services are behind names of DOMAIN; the settings of a site for it."""
        urls = {}
        for name in ("okta", "login", "graph"):
            port = urlsplit(getattr(sim, name + "_url")).port
            assert port
            listening = socket_of(self, port, socket.SOCK_STREAM, self._closing)
            listening.listen(128)
            threading.Thread(target=self._forward, args=(listening, port), daemon=True).start()
            urls[name] = f"https://{name}.{DOMAIN}:{port}"
        return {"okta": {"org_url": urls["okta"]},
                "intune": {"login_url": urls["login"], "graph_url": urls["graph"]}}

    def _forward(self, listening: socket.socket, port: int) -> None:
        """Until it is closed."""
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", port))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                known = end in self._ends
                self._ends.discard(end)
            if known:
                end.close()

    # --- the name server ------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            for key, _ in self._waiting.select():
                if key.data is None:
                    return
                key.data()

    def _answer(self) -> None:
        query, sender = self._dns.recvfrom(512)
        self.asked += 1
        if self.names != "silent":
            self._dns.sendto(reply_to(query, self.names), sender)

    # --- what is broken -------------------------------------------------------------------------

    def cable(self, plugged: bool) -> None:
        """Without it there is no route to anywhere."""
        self.ip("link", "set", self.cards[1], "up" if plugged else "down")

    def lose_packets(self, lose: bool) -> None:
        """The cable is there, and nothing that goes into it arrives."""
        # A neighbour that nobody is: no answer, and no word of it either.
        if lose:
            self.ip("neighbour", "replace", vpn.GATEWAY, "lladdr", "02:00:00:00:00:99", "dev",
                    self.cards[1], "nud", "permanent")
        else:
            self.ip("neighbour", "flush", "dev", self.cards[1], "nud", "permanent")

    def ip(self, *arguments: str) -> None:
        """ip(8) at the workstation."""
        subprocess.run(["ip", "-n", self.laptop, *arguments], check=True, timeout=30)


def socket_of(outside: Outside, port: int, kind: int,
              closing: contextlib.ExitStack) -> socket.socket:
    """One at the far end of the cable."""
    made = vpn.socket_in(outside.gateway, (vpn.GATEWAY, port), kind)

    def close() -> None:
        with contextlib.suppress(OSError):
            made.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        made.close()

    closing.callback(close)
    return made


def reply_to(query: bytes, how: str) -> bytes:
    """A name server's answer to a question: the address of everything in DOMAIN."""
    identifier, flags = struct.unpack(">HH", query[:4])
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack(">H", query[at + 1:at + 3])
    question = query[12:at + 5]
    known = ".".join(labels).lower().endswith("." + DOMAIN)
    record: Optional[bytes] = None
    if how == "answers" and known and kind == TYPE_A:
        record = struct.pack(">HHHIH", 0xC00C, TYPE_A, 1, 0, 4) + socket.inet_aton(vpn.GATEWAY)
    code = REFUSED if how == "refuses" else 0 if known else NO_NAME
    head = struct.pack(">HHHHHH", identifier, 0x8180 | flags & 0x0100 | code, 1,
                       1 if record else 0, 0, 0)
    return head + question + (record or b"")
