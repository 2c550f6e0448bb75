# SPDX-License-Identifier: GPL-2.0-or-later
# What devtrustd and FreeRADIUS export: do the numbers say what happened, do Prometheus's own tools
# take them, and what can clients of the socket do to logins.
"""Metrics of both doors."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, ssh_key
from tests.lib import metrics
from tests.lib.metrics import Numbers
from tests.lib.pamworld import ROOT, PamWorld, pam_world, wait_until
from tests.lib.radius import REJECT, Radius
from tests.lib.site import NOT_TRUSTED_RULE, TRUSTED_RULE

CLIENTS_MAX = 8  # DT_EXPORT_CLIENTS_MAX


class Paths:
    """Where the world exports."""

    def __init__(self, world: PamWorld) -> None:
        self.directory = world.directory / "metrics"
        self.socket = self.directory / "pam.sock"
        self.file = self.directory / "devtrust.prom"
        self.radius_socket = self.directory / "radius.sock"
        self.radius_file = self.directory / "devtrust-radius.prom"


def keys(paths: Paths) -> dict[str, dict[str, Any]]:
    return {"metrics": {"socket": paths.socket, "textfile": paths.file, "interval": "1s"}}


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd", "vpn", "wifi")) as made:
        made.service("sshd")
        Paths(made).directory.mkdir(mode=0o755)
        yield made


@pytest.fixture
def paths(world: PamWorld) -> Iterator[Paths]:
    """A daemon that exports, and an org with dtalice in it."""
    made = Paths(world)
    world.sim.reset()
    world.sim.add_user(ALICE, factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    world.log_path.unlink(missing_ok=True)
    world.site.configure(keys(made))
    world.start_daemon()
    wait_until(lambda: made.socket.exists() and made.file.exists(), "metrics")
    yield made
    world.stop_daemon()


def numbers_of_file(path: Path) -> Numbers:
    return Numbers(path.read_text())


def read_where(path: Path, name: str, value: float, **labels: str) -> Numbers:
    """The numbers of a socket, once it is there and one of them is as expected."""
    wait_until(path.exists, f"{path}")

    def found() -> Any:
        read = metrics.from_socket(path)
        return read if read.get(name, **labels) == value else None

    return wait_until(found, f"{name} {labels} {value} of {path}")


# --- what is counted ---------------------------------------------------------------------------

def test_numbers_of_a_host(world: PamWorld, paths: Paths) -> None:
    key = ssh_key(world, "device-p256")
    for _ in range(2):
        assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    report = world.login("sshd", "dtalice", "--no-conversation")
    assert report["auth"] != "SUCCESS"
    events = wait_until(lambda: world.site.sign_ons() if len(world.site.sign_ons()) == 3 else None,
                        "three events")
    causes = [e["debugContext"]["debugData"]["cause"] for e in events]
    assert causes[:2] == ["RULE_ALLOW", "RULE_ALLOW"]
    n = metrics.from_socket(paths.socket)
    assert n.get("devtrust_signons_total", door="pam") == 3
    assert n.get("devtrust_signons_total", result="allowed", cause="RULE_ALLOW") == 2
    assert n.get("devtrust_signons_total", result="denied", cause=causes[2]) == 1
    assert n.get("devtrust_rule_signons_total", application="sshd", rule=TRUSTED_RULE,
                 result="allowed") == 2
    assert n.get("devtrust_rule_signons_total", rule=NOT_TRUSTED_RULE, result="denied") == 1
    assert n.get("devtrust_device_verdicts_total", verdict="TRUSTED") == 2
    assert n.get("devtrust_signon_duration_seconds_count") == 3
    # Asked once, then kept: by the question and by the service.
    assert n.get("devtrust_cache_lookups_total", question="intune", result="miss") == 1
    assert n.get("devtrust_cache_lookups_total", question="intune", result="hit") == 1
    assert n.get("devtrust_service_requests_total", service="graph", status="200") == 1
    assert n.get("devtrust_service_requests_total", service="entra", status="200") == 1
    assert n.get("devtrust_service_request_duration_seconds_count", service="graph") == 1
    assert n.get("devtrust_store_open") == 1 and n.get("devtrust_config_generation") == 1
    assert n.get("devtrust_signons_waiting") == 0
    assert n.get("devtrust_expiry_timestamp_seconds", key="[intune] certificate_file",
                 ) > time.time()  # type: ignore[operator]
    # Nobody and no device is named.
    for secret in ("dtalice", "example.com", world.pki["devices"]["device-p256"]["device_id"],
                   "127.0.0.1"):
        assert secret not in n.text
    # The file says the same.
    wait_until(lambda: numbers_of_file(paths.file).get("devtrust_signons_total") == 3, "the file")


def test_waiting_and_rate_limit(world: PamWorld, paths: Paths) -> None:
    with world.harness("--service", "sshd", "--user", "dtalice") as h:
        h.prompt()
        n = read_where(paths.socket, "devtrust_signons_waiting", 1)
        assert n.get("devtrust_service_requests_total", service="okta", status="200")
        world.sim.approve(ALICE)
        h.answer("")
        assert h.finish()["auth"] == "SUCCESS"
    n = read_where(paths.socket, "devtrust_signons_waiting", 0)
    assert n.get("devtrust_mfa_signons_total", factor="push", provider="OKTA",
                 result="allowed") == 1
    assert n.get("devtrust_signon_duration_seconds_count", factor="push") == 1
    remaining = n.get("devtrust_okta_rate_limit_remaining", bucket="user")
    limit = n.get("devtrust_okta_rate_limit", bucket="user")
    assert limit and remaining is not None and 0 <= remaining < limit


def test_outage_and_refused_reload(world: PamWorld, paths: Paths) -> None:
    world.sim.listener("okta", "down")
    try:
        assert world.login("sshd", "dtalice", "--no-conversation")["auth"] != "SUCCESS"
    finally:
        world.sim.listener("okta")
    n = metrics.from_socket(paths.socket)
    assert n.get("devtrust_service_requests_total", service="okta", status="refused")
    assert n.get("devtrust_signons_total", result="denied", cause="OKTA_UNAVAILABLE") == 1
    good = world.site.config_path.read_text()
    assert world.daemon is not None
    world.site.config_path.write_text(good + "[nonsense]\n")
    world.daemon.send_signal(signal.SIGHUP)
    n = read_where(paths.socket, "devtrust_config_reloads_total", 1, result="refused")
    assert n.get("devtrust_config_generation") == 1
    world.site.config_path.write_text(good.replace("15m", "14m"))
    world.daemon.send_signal(signal.SIGHUP)
    n = read_where(paths.socket, "devtrust_config_reloads_total", 1, result="applied")
    assert n.get("devtrust_config_generation") == 2


# --- FreeRADIUS beside devtrustd, by one devtrust.conf --------------------------------------------

def test_both_doors_of_one_host(world: PamWorld, paths: Paths, tmp_path: Path) -> None:
    world.site.configure({"radius": {
        "store_path": world.site.store_path.parent / "radius.db",
        "audit_file": world.directory / "radius-audit.log",
        "metrics_socket": paths.radius_socket, "metrics_textfile": paths.radius_file}})
    try:
        with Radius(tmp_path / "raddb", world.site) as radius:
            assert radius.client().login("nobody@example.com").code == REJECT
            n = read_where(paths.radius_socket, "devtrust_signons_total", 1, result="denied")
            assert n.get("devtrust_signons_total", door="pam") is None
            assert n.get("devtrust_rule_signons_total", door="radius", application="vpn") == 1
            assert metrics.from_socket(paths.socket).get("devtrust_signons_total") == 0
            wait_until(paths.radius_file.exists, "FreeRADIUS's file")
            # One directory with both, as node_exporter reads it: no series is in both.
            both = [metrics.parse(f.read_text()) for f in (paths.file, paths.radius_file)]
            assert not both[0].keys() & both[1].keys()
        assert not paths.radius_file.exists() and not paths.radius_socket.exists()
    finally:
        world.site.configure({"radius": {k: None for k in world.site.settings["radius"]}})


def test_one_place_has_one_process(world: PamWorld, paths: Paths, tmp_path: Path) -> None:
    """Without keys of its own, FreeRADIUS leaves devtrustd's alone, and says which it needs."""
    with Radius(tmp_path / "raddb", world.site) as radius:
        log = wait_until(lambda: "metrics_textfile" in radius.log_text() and radius.log_text(),
                         "an error about the file")
        assert "metrics_socket" in log and "another process exports metrics there" in log
        assert radius.client().login("nobody@example.com").code == REJECT
        assert metrics.from_socket(paths.socket).get("devtrust_start_time_seconds", door="pam")
        assert 'door="radius"' not in paths.file.read_text()


def test_without_a_daemon_nothing_is_exported(world: PamWorld, paths: Paths) -> None:
    world.stop_daemon()
    assert not paths.file.exists() and not paths.socket.exists()
    assert world.login("sshd", "dtalice", "--no-conversation")["auth"] != "SUCCESS"
    assert not paths.file.exists() and not paths.socket.exists()


# --- the file ----------------------------------------------------------------------------------

def test_file_is_whole_at_any_time(world: PamWorld, paths: Paths) -> None:
    assert stat.S_IMODE(paths.file.stat().st_mode) == 0o644
    inodes = set()

    def look() -> bool:
        with open(paths.file, encoding="utf-8") as file:
            inodes.add(os.fstat(file.fileno()).st_ino)
            text = file.read()
        assert "# EOF" not in text and text.endswith("\n")
        assert "devtrust_config_loaded_timestamp_seconds{" in text  # the last family
        return len(inodes) >= 2

    wait_until(look, "a second file")
    assert {p.name for p in paths.directory.iterdir()} <= {
        "pam.sock", "pam.sock.lock", "devtrust.prom", "devtrust.prom.lock", "devtrust.prom.new",
        "radius.sock.lock", "devtrust-radius.prom.lock"}


def test_links_are_replaced_not_followed(world: PamWorld, paths: Paths) -> None:
    world.stop_daemon()
    victim = paths.directory.parent / "victim"
    victim.write_text("precious\n")
    for name in ("devtrust.prom", "devtrust.prom.new"):
        (paths.directory / name).symlink_to(victim)
    world.start_daemon()
    wait_until(lambda: paths.file.exists() and not paths.file.is_symlink(), "the file")
    assert victim.read_text() == "precious\n"


def test_directory_that_comes_later(world: PamWorld, paths: Paths) -> None:
    later = paths.directory / "later"
    world.stop_daemon()
    world.log_path.unlink()
    world.site.configure({"metrics": {"socket": later / "s", "textfile": later / "t.prom"}})
    world.start_daemon()

    def faults() -> list[str]:
        return [line for line in world.log_path.read_text().splitlines() if "/later/" in line]

    wait_until(lambda: len(faults()) == 2, "two faults in the log")
    assert {f"[metrics] {k}" for k in ("socket", "textfile")} == {
        found[0] for line in faults() if (found := re.search(r"\[metrics\] \w+", line))}
    assert world.login("sshd", "dtalice", "--no-conversation")["auth"] != "SUCCESS"
    later.mkdir()
    wait_until(lambda: (later / "s").exists() and (later / "t.prom").exists(), "both outputs")
    assert metrics.from_socket(later / "s").get("devtrust_signons_total") == 1
    assert len(faults()) == 2  # each was said once
    world.stop_daemon()
    for left in later.iterdir():
        left.unlink()
    later.rmdir()


# --- the socket --------------------------------------------------------------------------------

def test_socket_is_for_its_owner_and_group(world: PamWorld, paths: Paths) -> None:
    assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o660
    done = subprocess.run(
        ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups", "/usr/bin/python3", "-c",
         "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
         str(paths.socket)], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "PermissionError" in done.stderr
    # The group of a set-group-ID directory may read it.
    world.stop_daemon()
    os.chown(paths.directory, 0, 61002)
    os.chmod(paths.directory, 0o2755)
    try:
        world.start_daemon()
        wait_until(paths.socket.exists, "the socket")
        assert paths.socket.stat().st_gid == 61002
        assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o660
    finally:
        os.chown(paths.directory, 0, 0)
        os.chmod(paths.directory, 0o755)


def test_formats_by_accept(paths: Paths) -> None:
    def ask(accept: bytes) -> tuple[str, str]:
        head = b"Accept: " + accept + b"\r\n" if accept else b""
        status, rest, body = metrics.get(
            paths.socket, b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert status == "HTTP/1.1 200 OK"
        assert f"Content-Length: {len(body.encode())}" in rest
        return rest, body

    for accept in (b"", b"*/*", b"application/openmetrics-text;version=1.0.0,text/plain;q=0.5"):
        rest, body = ask(accept)
        assert "application/openmetrics-text; version=1.0.0" in rest
        assert body.endswith("# EOF\n")
    rest, body = ask(b"text/plain;version=0.0.4")
    assert "text/plain; version=0.0.4" in rest and "# EOF" not in body
    # Without HTTP: who says nothing, or has nothing to say.
    with metrics.connect(paths.socket) as client:
        assert metrics.read_all(client).endswith(b"# EOF\n")
    with metrics.connect(paths.socket) as client:
        client.shutdown(socket.SHUT_WR)
        assert metrics.read_all(client).endswith(b"# EOF\n")


@pytest.mark.parametrize("request_text, status", [
    (b"POST /metrics HTTP/1.1\r\n\r\n", "405"), (b"GET /secret HTTP/1.1\r\n\r\n", "404"),
    (b"GET /metricsx HTTP/1.1\r\n\r\n", "404"), (b"nonsense\n\n", "405"),
    (b"GET /metrics HTTP/1.1\r\nA: \0\r\n\r\n", "400"), (b"\0" * 100, "400"),
    (b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 9000, "431")])
def test_odd_requests(paths: Paths, request_text: bytes, status: str) -> None:
    with metrics.connect(paths.socket) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request_text)
        with contextlib.suppress(ConnectionResetError):
            answer = metrics.read_all(client)
            assert answer.startswith(b"HTTP/1.1 " + status.encode())
            assert b"devtrust_" not in answer
    assert metrics.from_socket(paths.socket)


def test_hostile_clients_are_cut_off(world: PamWorld, paths: Paths) -> None:
    """More than are served, who ask slowly or do not read: logins go on, descriptors are bounded,
    and a good client gets its answer."""
    assert world.daemon is not None
    pid = world.daemon.pid
    key = ssh_key(world, "device-p256")
    assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
    before = len(os.listdir(f"/proc/{pid}/fd"))
    slow = [metrics.connect(paths.socket, timeout=60) for _ in range(CLIENTS_MAX + 6)]
    end = threading.Event()

    def dribble() -> None:
        while not end.wait(0.05):
            for client in slow:
                with contextlib.suppress(OSError):
                    client.send(b"G")

    thread = threading.Thread(target=dribble)
    thread.start()
    try:
        wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= before + CLIENTS_MAX - 2,
                   "the slow clients are there")
        assert len(os.listdir(f"/proc/{pid}/fd")) <= before + CLIENTS_MAX + 4
        assert world.login("sshd", "dtalice", "--env", key)["auth"] == "SUCCESS"
        # All are cut off in their turn, two rounds of five seconds.
        assert metrics.from_socket(paths.socket).get("devtrust_signons_total", result="allowed")
    finally:
        end.set()
        thread.join()
        for client in slow:
            client.close()
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before + 1, "they are gone")


# --- documents ---------------------------------------------------------------------------------

def test_manual_names_every_metric(paths: Paths) -> None:
    page = (ROOT / "man" / "devtrust-metrics.7").read_text()
    documented = set(re.findall(r"^\.It Li (devtrust_\w+)$", page, re.MULTILINE))
    read = metrics.from_socket(paths.socket)
    assert documented == read.names()
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", read.text, re.MULTILINE))
    for name in documented:
        text = helps.get(name) or helps[re.sub("_(total|info)$", "", name)]
        assert re.search(rf"^\.It Li {name}\n{re.escape(text)}$", page, re.MULTILINE), name


def test_promtool_takes_the_file(paths: Paths) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=paths.file.read_text(),
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout
