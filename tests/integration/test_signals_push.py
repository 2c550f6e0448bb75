# SPDX-License-Identifier: GPL-2.0-or-later
# The real devtrust-signals behind a reverse proxy that a test plays: pushes of a transmitter, and
# Okta's event hooks.
"""Shared signals by push (RFC 8935) and Okta's event hooks."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.lib.signals import BUILD, PROGRAM, Signals, wait_for
from tests.sim.transmitter import CAEP, SSF, Transmitter, push

SECRET = "Bearer of-the-transmitter-0123456789"
HOOK_SECRET = "of-the-event-hooks-0123456789"
ANN = {"format": "email", "email": "ann@example.com"}
REVOKED = CAEP + "session-revoked"
SET_TYPE = "application/secevent+jwt"
CONNECTIONS_MAX = 128
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="transmitter", scope="module")
def _transmitter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transmitter]:
    transmitter = Transmitter(tmp_path_factory.mktemp("transmitter")).start()
    yield transmitter
    transmitter.stop()


@pytest.fixture(name="signals", scope="module")
def _signals(transmitter: Transmitter) -> Iterator[Signals]:
    """One transmitter that is managed, and one that only has an audience and no secret."""
    signals = Signals()
    ca = signals.public("ca.pem", Path(transmitter.ca_file))
    hook = signals.secret("hook", HOOK_SECRET)
    signals.configure(f"""okta_hook_secret_file = {hook}
[transmitter idp]
issuer = {transmitter.issuer}
delivery = push
ca_file = {ca}
push_url = https://signals.example.com/ssf/idp
push_secret_file = {signals.secret("push", SECRET)}
token_file = {signals.secret("token", transmitter.token)}
[transmitter plain]
issuer = {transmitter.issuer}
delivery = push
ca_file = {ca}
audience = https://devtrust.example.com
""")
    signals.start()
    wait_for(lambda: transmitter.counts["verify"] and signals.transmitter()["keys"]
             and signals.status()["transmitters"][1]["keys"], "no stream and keys")
    yield signals
    signals.close()


def send(signals: Signals, body: str, path: str = "/ssf/idp", *, secret: Optional[str] = SECRET,
         content_type: str = SET_TYPE) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content_Type": content_type, "Accept": "application/json"}
    if secret is not None:
        headers["Authorization"] = secret
    return push(signals.port, path, body.encode(), **headers)


def test_stream_is_created_for_push(transmitter: Transmitter, signals: Signals) -> None:
    assert transmitter.stream is not None
    assert transmitter.stream["delivery"] == {"method": "urn:ietf:rfc:8935",
                                              "endpoint_url":
                                                  "https://signals.example.com/ssf/idp"}
    assert transmitter.push_authorization == SECRET
    assert send(signals, transmitter.verification)[0] == 202
    wait_for(lambda: signals.transmitter()["verified"], "not verified")


@pytest.mark.parametrize("path,secret", [("/ssf/idp", SECRET), ("/ssf/plain", None)])
def test_pushed_event_becomes_news(transmitter: Transmitter, signals: Signals, path: str,
                                   secret: Optional[str]) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    status, _, body = send(signals, token, path, secret=secret)
    assert (status, body) == (202, b"")
    assert [n["id"] for n in signals.news_of(jti)] == ["ann@example.com"]  # it is there already
    status, _, _ = send(signals, token, path, secret=secret)
    assert status == 202 and len(signals.news_of(jti)) == 1


@pytest.mark.parametrize("change,error", [
    ({"iss": "https://evil.example.com"}, "invalid_issuer"),
    ({"aud": "https://other.example.com"}, "invalid_audience"),
    ({"iat": 1000000000}, "invalid_request"), ({"jti": None}, "invalid_request"),
    ({"header": {"typ": "JWT"}}, "invalid_request")])
def test_bad_token_is_answered_by_its_error(transmitter: Transmitter, signals: Signals,
                                            change: dict[str, Any], error: str) -> None:
    _, token = transmitter.make(REVOKED, {}, ANN, **change)
    status, headers, body = send(signals, token)
    assert status == 400 and headers["Content-Language"] == "en"
    assert headers["Content-Type"] == "application/json"
    answer = json.loads(body)
    assert answer["err"] == error and answer["description"]


def test_forged_signature(transmitter: Transmitter, signals: Signals) -> None:
    _, token = transmitter.make(REVOKED, {}, ANN)
    head, _, signature = token.split(".")
    claims = transmitter.make(REVOKED, {}, ANN)[1].split(".")[1]
    status, _, body = send(signals, f"{head}.{claims}.{signature}")
    assert status == 400 and json.loads(body)["err"] == "authentication_failed"


def test_wrong_state(transmitter: Transmitter, signals: Signals) -> None:
    _, token = transmitter.make(SSF + "verification", {"state": "guessed"},
                                {"format": "opaque", "id": "s1"})
    status, _, body = send(signals, token)
    assert status == 400 and json.loads(body)["err"] == "invalid_state"


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "x", SECRET.upper(),
                                    HOOK_SECRET])
def test_push_without_the_secret(transmitter: Transmitter, signals: Signals,
                                 secret: Optional[str]) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    assert send(signals, token, secret=secret)[0] == 401
    assert not signals.news_of(jti)


@pytest.mark.parametrize("path,status", [
    ("/", 404), ("/ssf/", 404), ("/ssf/other", 404), ("/ssf/idp/", 404), ("/ssf/../ssf/idp", 404),
    ("/okta/events/", 404), ("/ssf/idp?x=1", 202)])
def test_paths(transmitter: Transmitter, signals: Signals, path: str, status: int) -> None:
    assert send(signals, transmitter.make(REVOKED, {}, ANN)[1], path)[0] == status


def test_other_methods_and_types(transmitter: Transmitter, signals: Signals) -> None:
    token = transmitter.make(REVOKED, {}, ANN)[1]
    assert send(signals, token, content_type="application/json")[0] == 415
    assert send(signals, token, content_type="")[0] == 415
    assert send(signals, token, content_type="Application/SecEvent+JWT; charset=utf-8")[0] == 202
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        connection = http.client.HTTPConnection("127.0.0.1", signals.port, timeout=30)
        connection.request(method, "/ssf/idp", headers={"Authorization": SECRET})
        assert connection.getresponse().status == 405
        connection.close()


def test_bodies_are_bounded(signals: Signals) -> None:
    assert send(signals, "x" * (16 * 1024 + 3))[0] == 413
    assert send(signals, "x" * (1024 * 1024))[0] == 413
    assert send(signals, "")[0] == 400
    assert hook(signals, " " * (512 * 1024 + 1))[0] == 413


def test_headers_are_bounded(signals: Signals) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", signals.port, timeout=30)
    connection.request("POST", "/ssf/idp", b"", {"Authorization": SECRET, "X-Long": "x" * 60000})
    assert connection.getresponse().status in (413, 414, 431)
    connection.close()


def test_keys_rotate_while_a_push_waits(transmitter: Transmitter, signals: Signals) -> None:
    transmitter.rotate("k2", curve=True)
    transmitter.faults["keys"].append({"delay": 0.3})
    tokens = [transmitter.make(REVOKED, {}, ANN) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda t: send(signals, t[1])[0], tokens))
    assert answers == [202] * 20
    assert all(signals.news_of(jti) for jti, _ in tokens)
    # the next unknown key comes too soon: it is to come again, and no key is read for it now
    before = transmitter.counts["keys"]
    transmitter.keys["k9"] = transmitter.keys["k2"]
    status, headers, _ = send(signals, transmitter.make(REVOKED, {}, ANN, kid="k9")[1])
    assert status == 503 and headers["Retry-After"] == "10"
    assert transmitter.counts["keys"] == before


# --- event hooks --------------------------------------------------------------------------------


def hook(signals: Signals, body: str,
         secret: Optional[str] = HOOK_SECRET) -> tuple[int, dict[str, str], bytes]:
    return send(signals, body, "/okta/events", secret=secret, content_type="application/json")


def events(*items: tuple[str, list[dict[str, Any]]], **over: Any) -> tuple[list[str], str]:
    """The uuids of the events, and the body that Okta would send."""
    uuids = [str(uuid.uuid4()) for _ in items]
    made = [{"uuid": u, "eventType": kind, "published": "2026-11-30T10:00:00.000Z",
             "actor": {"id": "00u9admin", "type": "User", "alternateId": "admin@example.com"},
             "target": targets} for u, (kind, targets) in zip(uuids, items)]
    return uuids, json.dumps({
        "eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
        "source": "https://example.okta.com/api/v1/eventHooks/who1", "eventId": str(uuid.uuid4()),
        "eventTime": "2026-11-30T10:00:01.000Z", "contentType": "application/json",
        "data": {"events": made}, **over})


USER = {"id": "00u1ann", "type": "User", "alternateId": "ann@example.com"}
LAPTOP = {"id": "guo1dev", "type": "Device", "alternateId": None}


def test_hook_is_verified(signals: Signals) -> None:
    for challenge, status in (("abc-DEF_123", 200), ("", 400), ("x" * 600, 400), ("a b", 400)):
        connection = http.client.HTTPConnection("127.0.0.1", signals.port, timeout=30)
        connection.request("GET", "/okta/events", headers={
            "X-Okta-Verification-Challenge": challenge} if challenge else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == status
        if status == 200:
            assert json.loads(body) == {"verification": challenge}


def test_hook_events_become_news(signals: Signals) -> None:
    uuids, body = events(("device.lifecycle.suspend", [LAPTOP]),
                         ("user.lifecycle.deactivate", [USER]), ("user.session.start", [USER]),
                         ("user.mfa.factor.reset_all", [USER]))
    status, _, answer = hook(signals, body)
    assert (status, answer) == (204, b"")
    got = [[(n["what"], n["about"], n["id"]) for n in signals.news_of(u)] for u in uuids]
    user = [("okta-user", "00u1ann"), ("login", "ann@example.com")]
    assert got == [[("lifecycle", "okta-device", "guo1dev")],
                   [("lifecycle", *who) for who in user], [],
                   [("credential", *who) for who in user]]
    assert hook(signals, body)[0] == 204  # once more, as Okta does after a time
    assert len(signals.news_of(uuids[0])) == 1
    assert {n["source"] for u in uuids for n in signals.news_of(u)} == {"okta-hook"}


@pytest.mark.parametrize("secret", [None, "", HOOK_SECRET[:-1], HOOK_SECRET + " x", SECRET])
def test_hook_without_the_secret(signals: Signals, secret: Optional[str]) -> None:
    uuids, body = events(("user.lifecycle.suspend", [USER]))
    assert hook(signals, body, secret)[0] == 401
    assert not signals.news_of(uuids[0])


@pytest.mark.parametrize("over", [{"eventType": "com.okta.other"}, {"eventId": None}, {"data": {}},
                                  {"data": {"events": []}}, {"data": {"events": [{}]}}], ids=str)
def test_hook_of_another_form(signals: Signals, over: dict[str, Any]) -> None:
    uuids, body = events(("user.lifecycle.suspend", [USER]), **over)
    assert hook(signals, body)[0] == 400
    assert not signals.news_of(uuids[0])
    assert hook(signals, body[:-1])[0] == 400


def test_large_batch(signals: Signals) -> None:
    uuids, body = events(*[("user.lifecycle.suspend",
                            [{"id": f"00u{i}", "type": "User", "alternateId": f"p{i}@x.example"}])
                           for i in range(400)])
    began = time.monotonic()
    assert hook(signals, body)[0] == 204
    assert time.monotonic() - began < 3.0  # Okta waits no longer
    references = [line["ref"] for line in signals.news()]
    assert references.count(uuids[0]) == 2 and references.count(uuids[-1]) == 2


# --- trouble ------------------------------------------------------------------------------------


def test_nothing_is_taken_that_cannot_be_written(transmitter: Transmitter,
                                                 signals: Signals) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    uuids, body = events(("user.lifecycle.suspend", [USER]))
    saved = signals.news_path.with_suffix(".saved")
    os.rename(signals.news_path, saved)
    signals.news_path.mkdir()  # no file can be made there
    try:
        status, headers, _ = send(signals, token)
        assert status == 503 and headers["Retry-After"]
        assert hook(signals, body)[0] == 500
    finally:
        signals.news_path.rmdir()
        os.rename(saved, signals.news_path)
    assert send(signals, token)[0] == 202 and hook(signals, body)[0] == 204
    assert signals.news_of(jti) and signals.news_of(uuids[0])


def test_idle_connections_do_not_keep_others_out(transmitter: Transmitter,
                                                 signals: Signals) -> None:
    """More connections than there may be, none of which says a word."""
    idle = [socket.create_connection(("127.0.0.1", signals.port))
            for _ in range(CONNECTIONS_MAX + 10)]
    try:
        assert send(signals, transmitter.make(REVOKED, {}, ANN)[1])[0] == 202
    finally:
        for connection in idle:
            connection.close()


def test_news_is_there_when_the_answer_comes(transmitter: Transmitter, signals: Signals) -> None:
    """From a push, and from a hook, to the answer, over 100 of each."""
    for name in ("push", "hook"):
        times = []
        for _ in range(100):
            _, token = transmitter.make(REVOKED, {}, ANN)
            _, body = events(("user.lifecycle.suspend", [USER]))
            began = time.monotonic()
            status = send(signals, token)[0] if name == "push" else hook(signals, body)[0]
            times.append(time.monotonic() - began)
            assert status in (202, 204)
        times.sort()
        print(f"{name}: median {statistics.median(times) * 1000:.1f} ms, "
              f"p99 {times[98] * 1000:.1f} ms")
        assert statistics.median(times) < 1.0


def test_signal_asks_for_verification(transmitter: Transmitter, signals: Signals) -> None:
    before = transmitter.counts["verify"]
    assert signals.process is not None
    signals.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: transmitter.counts["verify"] > before, "no verification is asked for")
    signals.process.send_signal(signal.SIGHUP)  # changes nothing, and says so
    wait_for(lambda: "restart the service" in signals.log(), "SIGHUP")
    assert send(signals, transmitter.verification)[0] == 202


def test_no_secret_in_the_log(transmitter: Transmitter, signals: Signals) -> None:
    text = signals.log() + str(signals.status())
    for secret in (SECRET, HOOK_SECRET, transmitter.token, "eyJ"):
        assert secret not in text


def test_status_counts(signals: Signals) -> None:
    status = wait_for(lambda: signals.status() if signals.status()["hooks"]["repeated"] else None,
                      "no repeated hook")
    assert status["hooks"]["on"] and status["hooks"]["refused"] > 0
    assert status["transmitters"][0]["repeated"] > 0
    assert status["transmitters"][0]["refused"] > 0


# --- what is shipped ----------------------------------------------------------------------------

EXPOSURE_MAX = 12  # tenths


def test_sandbox(tmp_path: Path) -> None:
    """systemd's own measure of what the program could reach, were it taken over."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    text = (ROOT / "conf/systemd/devtrust-signals.service").read_text(encoding="utf-8")
    unit = tmp_path / "devtrust-signals.service"

    def analyze(content: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        unit.write_text(content.replace("/usr/sbin/devtrust-signals", str(PROGRAM)),
                        encoding="utf-8")
        return subprocess.run(["systemd-analyze", *arguments, unit], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    measure = ("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE_MAX}")
    done = analyze(text, *measure)
    assert "Overall exposure level" in done.stdout and done.returncode == 0
    assert analyze(text.replace("\nCapabilityBoundingSet=\n", "\n"), *measure).returncode != 0
    done = analyze(text, "verify", "--man=no")
    assert not [line for line in done.stdout.splitlines() if "devtrust" in line]
    assert "\nUser=devtrust-signals\n" in text


def ctl(signals: Signals, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([BUILD / "devtrustctl", "signals", *arguments, "-c", signals.config],
                          text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctl_shows_status_and_news(transmitter: Transmitter, signals: Signals) -> None:
    jti, token = transmitter.make(REVOKED, {}, ANN)
    assert send(signals, token)[0] == 202
    wait_for(lambda: not signals.transmitter()["error"], "an error stays")
    done = ctl(signals, "status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(?m)^idp: https://localhost:\d+/t1 by push, stream s1 \(enabled\), "
                     r"verified: 20", done.stdout)
    assert "okta hooks: " in done.stdout and "WRONG" not in done.stdout
    assert json.loads(ctl(signals, "status", "--json").stdout)["transmitters"][0]["name"] == "idp"
    news = ctl(signals, "news")
    assert news.returncode == 0
    assert re.search(rf"caep: session-revoked about login ann@example.com \({jti}\)", news.stdout)
    lines = [json.loads(line) for line in ctl(signals, "news", "--json").stdout.splitlines()]
    assert lines[-1]["ref"] == jti and lines[-1]["about"] == "login"
    assert ctl(signals, "listen").returncode == ctl(signals).returncode == 2


def doctor_says(config: Path) -> dict[str, Any]:
    done = subprocess.run([BUILD / "devtrustctl", "doctor", "--offline", "--json", "-c", config],
                          text=True, check=False, stdout=subprocess.PIPE)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    named = [f for f in found if f["check"] == "signals.status"]
    assert named, done.stdout
    return named[0]


def test_doctor_looks_at_it(signals: Signals, tmp_path: Path) -> None:
    """Of a configuration that can be loaded whole."""
    (tmp_path / "policies").mkdir()
    shutil.copy(ROOT / "conf/policies/sudo.json", tmp_path / "policies")
    for name, content in (("token", b"00a-token-of-the-test"), ("key", os.urandom(32))):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    text = signals.config.read_text(encoding="utf-8").replace(
        "[device_trust]", f"api_token_file = {tmp_path}/token\n[policy]\n"
        f"directory = {tmp_path}/policies\nzones_file = {ROOT}/conf/zones.json\n[store]\n"
        f"path = {tmp_path}/state.db\nstate_key_file = {tmp_path}/key\n[audit]\n"
        f"file = {tmp_path}/audit.log\n[device_trust]")
    config = tmp_path / "devtrust.conf"
    config.write_text(text, encoding="utf-8")
    assert doctor_says(config)["status"] == "ok"
    config.write_text(text.replace(str(signals.news_path), str(tmp_path / "news")),
                      encoding="utf-8")
    found = doctor_says(config)
    assert found["status"] == "warning" and "has not run" in found["what"]
    assert found["do"] == "devtrustctl signals status"
    status = signals.status()
    status["transmitters"][0]["error"] = "its keys: HTTP 500"
    (tmp_path / "news.status").write_text(json.dumps(status), encoding="utf-8")
    assert "idp: its keys: HTTP 500" in doctor_says(config)["what"]


def test_ctl_says_that_it_does_not_run(signals: Signals, tmp_path: Path) -> None:
    config = signals.config.read_text(encoding="utf-8")
    other = tmp_path / "devtrust.conf"
    other.write_text(config.replace(str(signals.news_path), str(tmp_path / "news")),
                     encoding="utf-8")
    done = subprocess.run([BUILD / "devtrustctl", "signals", "status", "-c", other], text=True,
                          check=False, stderr=subprocess.PIPE)
    assert done.returncode == 2 and "systemctl enable --now devtrust-signals" in done.stderr
    status = signals.status()
    status["at"] = "2026-01-01T00:00:00.000Z"
    status["transmitters"][0].update(error="its keys: HTTP 500", failures=3)
    status["transmitters"][1]["status"] = "paused"
    (tmp_path / "news.status").write_text(json.dumps(status), encoding="utf-8")
    done = subprocess.run([BUILD / "devtrustctl", "signals", "status", "-c", other], text=True,
                          check=False, stdout=subprocess.PIPE)
    assert done.returncode == 1
    for text in ("WRONG: devtrust-signals does not run", "idp: WRONG: its keys: HTTP 500",
                 "plain: WRONG: the stream is not enabled"):
        assert text in done.stdout
