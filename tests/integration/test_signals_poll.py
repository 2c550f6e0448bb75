# SPDX-License-Identifier: GPL-2.0-or-later
# The real devtrust-signals polls a simulated transmitter: what becomes news, what is refused, and
# what happens when the transmitter does not answer as it should.
"""Shared signals by poll (RFC 8936)."""

from __future__ import annotations

import collections
import re
import statistics
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.signals import Signals, wait_for
from tests.sim.transmitter import CAEP, RISC, SSF, Transmitter

GUID = "6e9f8a3c-3f5c-4b6e-9d58-1c2d3e4f5a6b"
ANN = {"format": "email", "email": "ann@example.com"}
DEVICE = {"format": "complex", "user": ANN, "device": {"format": "opaque", "id": GUID}}
REVOKED = CAEP + "session-revoked"


@pytest.fixture(name="transmitter", scope="module")
def _transmitter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transmitter]:
    transmitter = Transmitter(tmp_path_factory.mktemp("transmitter")).start()
    yield transmitter
    transmitter.stop()


def section(transmitter: Transmitter, signals: Signals, **settings: Any) -> str:
    keys = {"issuer": transmitter.issuer, "ca_file": signals.public("ca.pem",
                                                                    Path(transmitter.ca_file)),
            "token_file": signals.secret("token", transmitter.token), "poll_pause": "500ms",
            **settings}
    return "[transmitter idp]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()
                                           if v is not None)


@pytest.fixture(name="signals", scope="module")
def _signals(transmitter: Transmitter) -> Iterator[Signals]:
    signals = Signals()
    signals.configure(section(transmitter, signals))
    signals.start()
    wait_for(lambda: signals.transmitter()["verified"], "the stream is not verified")
    yield signals
    signals.close()


def settled(transmitter: Transmitter, jti: str) -> str:
    """What the receiver said of a token: "ack", or its error code."""
    wait_for(lambda: jti in transmitter.acknowledged or jti in transmitter.refused,
             f"{jti} is neither acknowledged nor refused")
    return transmitter.refused.get(jti, "ack")


def test_stream_is_created_and_verified(transmitter: Transmitter, signals: Signals) -> None:
    assert transmitter.stream is not None
    assert REVOKED in transmitter.stream["events_requested"]
    status = signals.transmitter()
    assert status["stream"] == "s1" and status["status"] == "enabled" and status["keys"] == 1
    assert status["error"] == "" and status["delivery"] == "poll"
    mode = signals.news_path.stat().st_mode & 0o7777
    assert mode == 0o640


def test_event_becomes_news(transmitter: Transmitter, signals: Signals) -> None:
    jti = transmitter.emit(CAEP + "device-compliance-change",
                           {"current_status": "not-compliant", "previous_status": "compliant"},
                           DEVICE)
    assert settled(transmitter, jti) == "ack"
    news = signals.news_of(jti)
    assert {(n["about"], n["id"]) for n in news} == {
        ("login", "ann@example.com"), ("entra-device", GUID), ("intune-device", GUID)}
    assert {(n["source"], n["what"]) for n in news} == {("caep", "compliance")}
    assert f"compliance about login ann@example.com ({jti})" in signals.log()


@pytest.mark.parametrize("event,what", [
    (RISC + "account-disabled", "lifecycle"), (REVOKED, "session-revoked"),
    (CAEP + "credential-change", "credential")])
def test_events_of_all_kinds(transmitter: Transmitter, signals: Signals, event: str,
                             what: str) -> None:
    members = {"credential_type": "password", "change_type": "revoke"}
    jti = transmitter.emit(event, members, ANN)
    assert settled(transmitter, jti) == "ack"
    assert [n["what"] for n in signals.news_of(jti)] == [what]


def test_unknown_event_is_acknowledged_without_news(transmitter: Transmitter,
                                                    signals: Signals) -> None:
    jti = transmitter.emit("https://example.com/event/of-tomorrow", {"x": 1}, ANN)
    assert settled(transmitter, jti) == "ack"
    assert not signals.news_of(jti)


REFUSALS = {
    "another issuer": ({"iss": "https://evil.example.com"}, "invalid_issuer"),
    "another audience": ({"aud": "https://other.example.com"}, "invalid_audience"),
    "no audience": ({"aud": None}, "invalid_audience"),
    "too old": ({"iat": int(time.time()) - 8 * 86400}, "invalid_request"),
    "of the future": ({"iat": int(time.time()) + 3600}, "invalid_request"),
    "a token of a person": ({"exp": int(time.time()) + 60}, "invalid_request"),
    "another type": ({"header": {"typ": "JWT"}}, "invalid_request"),
    "a critical extension": ({"header": {"crit": ["b64"]}}, "invalid_request"),
    "no subject": ({"subject": None}, "invalid_request"),
}


@pytest.mark.parametrize("change,error", REFUSALS.values(), ids=REFUSALS)
def test_token_is_refused(transmitter: Transmitter, signals: Signals, change: dict[str, Any],
                          error: str) -> None:
    jti = transmitter.emit(REVOKED, **{"subject": ANN, **change})
    assert settled(transmitter, jti) == error
    assert not signals.news_of(jti)


def test_forged_tokens_are_refused(transmitter: Transmitter, signals: Signals) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    head, claims, signature = token.split(".")
    other = transmitter.make(REVOKED, {}, ANN)[1].split(".")
    forged = {f"a-{jti}": f"{head}.{other[1]}.{signature}",
              f"b-{jti}": f"{head}.{claims}.",
              f"c-{jti}": f"eyJ0eXAiOiJzZWNldmVudCtqd3QiLCJhbGciOiJub25lIiwia2lkIjoiazEifQ"
                          f".{claims}.AAAA",
              f"d-{jti}": "not a token",
              f"e-{jti}": token}  # delivered by another id than it has
    transmitter.queue(*forged.items())
    got = {name[0]: settled(transmitter, name) for name in forged}
    assert got == {"a": "authentication_failed", "b": "invalid_request", "c": "invalid_request",
                   "d": "invalid_request", "e": "invalid_request"}
    assert not signals.news_of(jti)


def test_repeated_event_makes_news_once(transmitter: Transmitter, signals: Signals) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    for _ in range(3):
        transmitter.queue((jti, token))
        wait_for(lambda: jti not in transmitter.waiting, "not acknowledged")
    assert len(signals.news_of(jti)) == 1


def test_key_rotates(transmitter: Transmitter, signals: Signals) -> None:
    """An unknown key has the keys read at once; the next one soon after it would have to wait."""
    transmitter.rotate(f"k{time.time()}", curve=True)
    jti = transmitter.emit(REVOKED, {}, ANN)
    assert settled(transmitter, jti) == "ack"
    assert signals.news_of(jti)


def test_wrong_verification_is_refused(transmitter: Transmitter, signals: Signals) -> None:
    stream = {"format": "opaque", "id": "s1"}
    assert settled(transmitter, transmitter.emit(SSF + "verification", {"state": "guessed"},
                                                 stream)) == "invalid_state"
    assert settled(transmitter, transmitter.emit(SSF + "verification", {}, stream)) == "ack"
    assert signals.transmitter()["verified"]


def test_stream_update_is_logged(transmitter: Transmitter, signals: Signals) -> None:
    stream = {"format": "opaque", "id": "s1"}
    for status in ("paused", "enabled"):
        jti = transmitter.emit(SSF + "stream-updated", {"status": status}, stream)
        assert settled(transmitter, jti) == "ack"
        wait_for(lambda want=status: signals.transmitter()["status"] == want, status)
    assert "set the stream to paused" in signals.log()


@pytest.mark.parametrize("fault", [
    {"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}, {"status": 200, "text": "{"},
    {"status": 200, "text": "[]"}, {"delay": 0.5}], ids=str)
def test_faults_of_polls_lose_nothing(transmitter: Transmitter, signals: Signals,
                                      fault: dict[str, Any]) -> None:
    seen = len(transmitter.polls)
    transmitter.faults["poll"].append(fault)
    first = transmitter.emit(REVOKED, {}, ANN)  # answers the poll that is open
    second = transmitter.emit(REVOKED, {}, ANN)
    assert settled(transmitter, first) == settled(transmitter, second) == "ack"
    assert signals.news_of(first) and signals.news_of(second)
    assert len(transmitter.polls) > seen and not transmitter.faults["poll"]


def test_many_events(transmitter: Transmitter, signals: Signals) -> None:
    """With duplicates among them; all are acknowledged, and each makes news once."""
    tokens = [transmitter.make(REVOKED, {}, {"format": "email", "email": f"p{i}@example.com"})
              for i in range(500)]
    transmitter.queue(*tokens)
    wait_for(lambda: not transmitter.waiting, "not all are acknowledged")
    transmitter.queue(*tokens[::50])
    wait_for(lambda: not transmitter.waiting, "not all are acknowledged again")
    lines = collections.Counter(line["ref"] for line in signals.news())
    assert [lines[jti] for jti, _ in tokens] == [1] * len(tokens)


def test_more_events_than_were_asked_for(transmitter: Transmitter, signals: Signals) -> None:
    """Some transmitters do not heed maxEvents: what is too much is taken in the next round."""
    tokens = [transmitter.make(REVOKED, {}, {"format": "email", "email": f"q{i}@example.com"})
              for i in range(400)]
    transmitter.least = 300
    transmitter.queue(*tokens)
    wait_for(lambda: not transmitter.waiting, "not all are acknowledged")
    transmitter.least = 0
    lines = {line["ref"] for line in signals.news()}
    assert lines.issuperset(jti for jti, _ in tokens)


def test_news_is_there_soon(transmitter: Transmitter, signals: Signals) -> None:
    """From the event at the transmitter to the line, over 100 events."""
    times = []
    for i in range(100):
        token = transmitter.make(REVOKED, {}, {"format": "email", "email": f"t{i}@example.com"})
        began = time.monotonic()
        transmitter.queue(token)
        wait_for(lambda ref=token[0].encode(): ref in signals.news_path.read_bytes(), "no news")
        times.append(time.monotonic() - began)
    times.sort()
    print(f"median {statistics.median(times) * 1000:.1f} ms, p99 {times[98] * 1000:.1f} ms")
    assert statistics.median(times) < 1.0


def test_no_secret_in_the_log(transmitter: Transmitter, signals: Signals) -> None:
    text = signals.log() + str(signals.status())
    assert transmitter.token not in text and not re.search(r"eyJ[\w-]{20}", text)


# --- installations of their own -----------------------------------------------------------------


@pytest.fixture(name="own")
def _own() -> Iterator[Signals]:
    signals = Signals()
    yield signals
    signals.close()


@pytest.mark.parametrize("how", ["secret", "key"])
def test_token_by_client_credentials(tmp_path: Path, own: Signals, how: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    transmitter = Transmitter(tmp_path / "t").start()
    try:
        key = ec.generate_private_key(ec.SECP256R1())
        transmitter.client_key = key.public_key()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()
        way = {"client_secret_file": own.secret("client", transmitter.client_secret)} \
            if how == "secret" else {"key_file": own.secret("client", pem), "key_id": "c1"}
        own.configure(section(transmitter, own, token_file=None, client_id="receiver",
                              token_url=transmitter.base + "/token", **way))
        own.start()
        jti = transmitter.emit(REVOKED, {}, ANN)
        assert settled(transmitter, jti) == "ack"
        transmitter.token = "no longer valid"  # it is had anew after a 401
        jti = transmitter.emit(REVOKED, {}, ANN)
        transmitter.faults["poll"].append({"status": 401})
        assert settled(transmitter, jti) == "ack"
        assert own.news_of(jti) and transmitter.counts["token"] >= 2
    finally:
        transmitter.stop()


def test_events_before_the_start_and_a_restart(tmp_path: Path, own: Signals) -> None:
    transmitter = Transmitter(tmp_path / "t").start()
    try:
        own.configure(section(transmitter, own))
        first = transmitter.emit(REVOKED, {}, ANN)
        own.start()
        assert settled(transmitter, first) == "ack"
        own.stop()
        second = transmitter.emit(REVOKED, {}, ANN)
        own.start()
        assert settled(transmitter, second) == "ack"
        assert own.news_of(first) and own.news_of(second)
    finally:
        transmitter.stop()


FAULTY_STARTS = {
    "no token": ({"token_file": "/nonexistent/token"}, "token_file"),
    "no CA": ({"ca_file": "/nonexistent/ca.pem"}, "ca_file"),
}


@pytest.mark.parametrize("change,key", FAULTY_STARTS.values(), ids=FAULTY_STARTS)
def test_faulty_start_names_the_key(transmitter: Transmitter, own: Signals,
                                    change: dict[str, Any], key: str) -> None:
    own.configure(section(transmitter, own, **change))
    own.start(wait=False)
    process, own.process = own.process, None
    assert process is not None and process.wait(60) == 1
    assert f"[transmitter idp] {key}: " in own.log()
    assert not own.news_path.exists() or not own.news()


METADATA = {
    "another issuer": ({"issuer": "https://other.example.com"}, "its issuer is not the configured"),
    "plain http": ({"jwks_uri": "http://localhost/keys"}, "not an https URL"),
    "push alone": ({"delivery_methods_supported": ["urn:ietf:rfc:8935"]}, "set delivery = push"),
}


@pytest.mark.parametrize("change,text", METADATA.values(), ids=METADATA)
def test_metadata_that_cannot_be_used(tmp_path: Path, own: Signals, change: dict[str, Any],
                                      text: str) -> None:
    transmitter = Transmitter(tmp_path / "t").start()
    try:
        transmitter.metadata_changes = change
        own.configure(section(transmitter, own))
        own.start()
        wait_for(lambda: text in own.transmitter()["error"], text)
        assert transmitter.counts["poll"] == transmitter.counts["stream"] == 0
    finally:
        transmitter.stop()
