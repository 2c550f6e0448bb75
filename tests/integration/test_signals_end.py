# SPDX-License-Identifier: GPL-2.0-or-later
# The whole way of a signal: a transmitter or Okta says that something has changed, the real
# devtrust-signals writes it down, FreeRADIUS looks again and asks the NAS to end the session.
"""From a signal to the end of a session."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from tests.integration.test_sessions import until
from tests.integration.test_sessions_end import SECRET, Nas, trusted
from tests.integration.test_signals_push import HOOK_SECRET, events, hook
from tests.lib import radius as rad
from tests.lib.radius import World
from tests.lib.signals import Signals
from tests.sim.transmitter import CAEP, Transmitter, push

SLOW = bool(os.environ.get("DEVTRUST_SLOW"))
ROUNDS = int(os.environ.get("DEVTRUST_ROUNDS", "20"))
AUDIENCE = "https://devtrust.example.com"

pytestmark = pytest.mark.skipif(not SLOW, reason="half a minute; DEVTRUST_SLOW=1")


class Parts:
    """A NAS, FreeRADIUS, devtrust-signals, and a transmitter that is polled and one that pushes."""

    def __init__(self, directory: Path) -> None:
        self.nas, self.signals = Nas(), Signals()
        self.transmitter = Transmitter(directory / "transmitter").start()
        ca = self.signals.public("ca.pem", self.transmitter.ca_file)
        self.signals.configure(f"""okta_hook_secret_file = {self.signals.secret("h", HOOK_SECRET)}
[transmitter polled]
issuer = {self.transmitter.issuer}
ca_file = {ca}
token_file = {self.signals.secret("token", self.transmitter.token)}
[transmitter pushes]
issuer = {self.transmitter.issuer}
ca_file = {ca}
delivery = push
audience = {AUDIENCE}
""")
        self.signals.start()
        until(lambda: self.signals.transmitter()["verified"])
        until(lambda: self.signals.status()["transmitters"][1]["keys"])

    def close(self) -> None:
        self.signals.close()
        self.transmitter.stop()
        self.nas.link.close()


@pytest.fixture(name="parts", scope="module")
def _parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    parts = Parts(tmp_path_factory.mktemp("parts"))
    yield parts
    parts.close()


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory, pki_index: Mapping[str, Any],
           parts: Parts) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("signals-end")
    key = directory / "nas.secret"
    key.write_bytes(SECRET)
    key.chmod(0o600)
    settings = {"sessions": {"recheck": "1h", "on_loss": "disconnect"},
                "mfa": {"push_pause": "0s", "push_limit": "1000"},
                "signals": {"news": str(parts.signals.news_path)},
                "nas access-points": {"port": str(parts.nas.port), "send_to": "127.0.0.1",
                                      "secret_file": str(key), "address": "127.0.0.1"},
                "device_trust": {"cache_ttl": "1h", "stale_limit": "2h", "negative_ttl": "0s"}}
    with rad.start_world(directory, pki_index, settings=settings) as made:
        yield made


@pytest.mark.parametrize("way", ["poll", "push", "hook"])
def test_how_long_it_takes(parts: Parts, world: World, way: str) -> None:
    """From the change, which the sender says at once, to the Disconnect-Request."""
    taken = []
    for i in range(ROUNDS):
        user, where, certificate = trusted(world, f"{way}-{i}")
        login = user + "@example.com"
        device = {"format": "complex", "user": {"format": "email", "email": login},
                  "device": {"format": "opaque", "id": certificate["device_id"]}}
        members = {"current_status": "not-compliant", "previous_status": "compliant"}
        began = time.time()
        world.sim.make_noncompliant(certificate["device_id"])
        token = parts.transmitter.make(CAEP + "device-compliance-change", members, device)
        if way == "poll":
            parts.transmitter.queue(token)
        elif way == "push":
            assert push(parts.signals.port, "/ssf/pushes", token[1].encode(),
                        Content_Type="application/secevent+jwt")[0] == 202
        else:
            body = events(("user.lifecycle.suspend",
                           [{"id": f"00u{i}x", "type": "User", "alternateId": login}]))[1]
            assert hook(parts.signals, body)[0] == 204
        taken.append(until(lambda at=where: parts.nas.asked_about(at))[0][0] - began)
    taken.sort()
    print(f"\n{way}: {ROUNDS} rounds, median {statistics.median(taken) * 1000:.0f} ms, "
          f"longest {taken[-1] * 1000:.0f} ms")
    assert statistics.median(taken) < 1.0
