# SPDX-License-Identifier: GPL-2.0-or-later
# The dashboard and the example alerts of conf/metrics, with the metrics of a real devtrustd:
# promtool on made-up series, and a real Prometheus that reads node_exporter and, by way of
# systemd-socket-proxyd, the socket.
"""Prometheus, node_exporter, promtool."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest
import yaml

from tests.integration.test_metrics import Paths, keys
from tests.integration.test_pam_daemon import ALICE, BOTH
from tests.lib import metrics
from tests.lib.metrics import Numbers
from tests.lib.pamworld import ROOT, PamWorld, pam_world, wait_until
from tests.lib.radius import free_port

CONF = ROOT / "conf" / "metrics"
ALERTS = CONF / "devtrust-alerts.yml"
DASHBOARD = CONF / "devtrust-dashboard.json"
PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
NAME = re.compile(r"\b((?:devtrust|node_textfile)_[a-z_]+)\b")
PARTS = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=("sshd",)) as made:
        made.service("sshd")
        Paths(made).directory.mkdir(mode=0o755)
        made.sim.add_user(ALICE, factors=BOTH)
        made.site.configure(keys(Paths(made)))
        made.start_daemon()
        wait_until(lambda: Paths(made).socket.exists() and Paths(made).file.exists(), "metrics")
        assert made.login("sshd", "dtalice", "--no-conversation")["auth"] != "SUCCESS"
        yield made
        made.stop_daemon()


@pytest.fixture(scope="module")
def numbers(world: PamWorld) -> Numbers:
    return metrics.from_socket(Paths(world).socket)


def promtool(*arguments: Any, text: str = "") -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


# --- what dashboard and alerts name ------------------------------------------------------------

def alert_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"]
            for rule in group["rules"]]


def expressions(part: Any) -> Iterator[str]:
    """Every query of a dashboard, those of its variables included."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("expr", "definition"):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions(value)


def named(texts: Sequence[str]) -> set[str]:
    return {PARTS.sub("", n) for text in texts for n in NAME.findall(text)}


def test_alerts_and_dashboard_name_metrics_that_exist(numbers: Numbers) -> None:
    alerts = named([rule["expr"] for rule in alert_rules()])
    board = named(list(expressions(json.loads(DASHBOARD.read_text()))))
    assert len(alerts) > 8 and len(board) > 15
    assert alerts | board <= numbers.names() | {"node_textfile_mtime_seconds"}
    assert numbers.names() <= board  # the dashboard shows all


def words_of(name: str) -> set[str]:
    """The values that a label may have, as the sources list them."""
    text = (ROOT / "common" / "core" / "metrics" / "metrics_text.c").read_text()
    causes = (ROOT / "common" / "core" / "signon" / "outcome.c").read_text()
    return {"cause": set(re.findall(r'\[DT_CAUSE_\w+\] = "(\w+)"', causes)),
            "service": set(re.findall(r'\[DT_HTTP_\w+\] = "(\w+)"', text)),
            "result": {"allowed", "denied", "report_only", "hit", "miss", "stale", "applied",
                       "refused"},
            "status": set(re.findall(r'\[DT_HTTP_\w+\] = "(\w+)"', text)) | {"other"}}[name]


def test_alerts_name_labels_and_values_that_exist(numbers: Numbers) -> None:
    """A cause or status that is misspelt never fires."""
    checked = 0
    for rule in alert_rules():
        for label, values in re.findall(r'\b(cause|service|result|status)[!=]~?"([^"]+)"',
                                        rule["expr"]):
            for value in values.split("|"):
                checked += 1
                assert re.fullmatch(r"[1-5][0-9.]{2}", value) or value in words_of(label), \
                    (rule["alert"], label, value)
    assert checked > 30


def test_dashboard_is_whole() -> None:
    board = json.loads(DASHBOARD.read_text())
    ids = [p["id"] for p in board["panels"]]
    assert len(ids) == len(set(ids)) > 15
    for panel in board["panels"]:
        assert panel["title"] and panel["description"] and panel["targets"], panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for target in panel["targets"]:
            assert "$instance" in target["expr"] and "$door" in target["expr"], panel["title"]
    variables = {v["name"] for v in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board))) - {"__rate_interval", "__all"}
    assert used <= variables


# --- promtool ----------------------------------------------------------------------------------

def test_promtool_takes_the_alerts() -> None:
    assert f"{len(alert_rules())} rules found" in promtool("check", "rules", ALERTS)


SIGNONS = 'devtrust_signons_total{instance="h",door="pam",result="%s",cause="%s"}'
CALLS = 'devtrust_service_requests_total{instance="h",door="pam",service="%s",status="%s"}'

# Of each alert: series on which it fires, and series on which it does not; a minute each.
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "DevtrustOktaUnavailable": ({CALLS % ("okta", "timeout"): "0+1x60"},
                                {CALLS % ("okta", "200"): "0+9x60",
                                 CALLS % ("okta", "broken"): "0+1x60",
                                 CALLS % ("okta", "timeout"): "7x60"}),
    "DevtrustOktaAnswersUnusable": ({CALLS % ("okta", "401"): "0+1x60"},
                                    {CALLS % ("okta", "503"): "0+1x60",
                                     CALLS % ("graph", "401"): "0+1x60"}),
    "DevtrustMicrosoftUnavailable": ({CALLS % ("graph", "503"): "0+1x60"},
                                     {CALLS % ("graph", "200"): "0+1x60",
                                      CALLS % ("graph", "404"): "0+1x60",
                                      CALLS % ("okta", "503"): "0+1x60"}),
    "DevtrustStaleAnswers": ({'devtrust_stale_signons_total{instance="h",door="pam"}': "0+1x60"},
                             {'devtrust_stale_signons_total{instance="h",door="pam"}': "3x60"}),
    "DevtrustRateLimitNearlyUsed": (
        {'devtrust_okta_rate_limit{instance="h",door="pam",bucket="user"}': "600x60",
         'devtrust_okta_rate_limit_remaining{instance="h",door="pam",bucket="user"}': "20x60"},
        {'devtrust_okta_rate_limit{instance="h",door="pam",bucket="user"}': "600x60",
         'devtrust_okta_rate_limit_remaining{instance="h",door="pam",bucket="user"}': "300x60"}),
    "DevtrustManyRefused": ({SIGNONS % ("denied", "RULE_DENY"): "0+9x60",
                             SIGNONS % ("allowed", "RULE_ALLOW"): "0+1x60"},
                            {SIGNONS % ("denied", "RULE_DENY"): "0+9x60",
                             SIGNONS % ("allowed", "RULE_ALLOW"): "0+90x60"}),
    "DevtrustPushesDenied": ({SIGNONS % ("denied", "MFA_REJECTED"): "0+1x60"},
                             {SIGNONS % ("denied", "MFA_TIMEOUT"): "0+1x60"}),
    "DevtrustBreakGlass": ({SIGNONS % ("allowed", "BREAK_GLASS"): "0x20 1x40"},
                           {SIGNONS % ("allowed", "BREAK_GLASS"): "1x60"}),
    "DevtrustConfigurationFault": ({SIGNONS % ("denied", "CONFIG"): "0+1x60"},
                                   {SIGNONS % ("denied", "RULE_DENY"): "0+1x60"}),
    "DevtrustReloadRefused": (
        {'devtrust_config_reloads_total{instance="h",door="pam",result="refused"}': "0x20 1x40"},
        {'devtrust_config_reloads_total{instance="h",door="pam",result="applied"}': "0x20 1x40"}),
    "DevtrustAuditEventsLost": (
        {'devtrust_audit_events_lost_total{instance="h",door="pam"}': "0x25 5x40"},
        {'devtrust_audit_events_lost_total{instance="h",door="pam"}': "5x60"}),
    "DevtrustStoreClosed": ({'devtrust_store_open{instance="h",door="pam"}': "0x60"},
                            {'devtrust_store_open{instance="h",door="pam"}': "1x60"}),
    "DevtrustNearlyFull": ({'devtrust_signons_waiting{instance="h",door="pam"}': "500x60",
                            'devtrust_signons_waiting_max{instance="h",door="pam"}': "512x60"},
                           {'devtrust_signons_waiting{instance="h",door="pam"}': "50x60",
                            'devtrust_signons_waiting_max{instance="h",door="pam"}': "512x60"}),
    "DevtrustExpiresSoon": (
        {'devtrust_expiry_timestamp_seconds{instance="h",door="pam",key="k"}': "86400x60"},
        {'devtrust_expiry_timestamp_seconds{instance="h",door="pam",key="k"}': "8640000x60"}),
    "DevtrustSlow": (
        {'devtrust_signon_duration_seconds_bucket{instance="h",door="pam",factor="none",le="1.0"}':
         "0x60",
         'devtrust_signon_duration_seconds_bucket{instance="h",door="pam",factor="none",le="5.0"}':
         "0+9x60",
         'devtrust_signon_duration_seconds_bucket{instance="h",door="pam",factor="none",le="+Inf"}':
         "0+9x60"},
        {'devtrust_signon_duration_seconds_bucket{instance="h",door="pam",factor="none",le="1.0"}':
         "0+9x60",
         'devtrust_signon_duration_seconds_bucket{instance="h",door="pam",factor="none",le="+Inf"}':
         "0+9x60"}),
    "DevtrustMetricsOld": (
        {'node_textfile_mtime_seconds{instance="h",file="/d/devtrust.prom"}': "0x60"},
        {'node_textfile_mtime_seconds{instance="h",file="/d/other.prom"}': "0x60"}),
}


def rule_test(alert: str, series: dict[str, str], fires: bool) -> dict[str, Any]:
    labels = {"instance": "h", "severity": next(
        r["labels"]["severity"] for r in alert_rules() if r["alert"] == alert)}
    found = {key for name in series for key in re.findall(r'(\w+)="', name)} if fires else set()
    return {"interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in series.items()],
            "promql_expr_test": [{
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing",instance="h",'
                        f'severity="{labels["severity"]}"}})',
                "eval_time": "30m",
                "exp_samples": [{"labels": "{}", "value": 1}] if found else []}]}


def test_each_alert_fires_when_it_should_and_else_not(tmp_path: Path) -> None:
    assert CASES.keys() == {rule["alert"] for rule in alert_rules()}
    tests = [rule_test(alert, series, fires) for alert, both in CASES.items()
             for series, fires in zip(both, (True, False))]
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m",
                                    "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", path)


# --- a real Prometheus -------------------------------------------------------------------------

@contextlib.contextmanager
def running(command: Sequence[Any], log: Path, **options: Any) -> Iterator[None]:
    with open(log, "ab") as out:
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=out, **options)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Prometheus:
    """Its API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/"

    def call(self, path: str, **query: str) -> Any:
        url = self.url + path + "?" + urllib.parse.urlencode(query)
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.call("status/buildinfo"))
        return False

    def value(self, query: str) -> float | None:
        result = self.call("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None


PROMETHEUS_YML = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{alerts}]
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"], labels: {{instance: by-file}}}}]
  - job_name: devtrust
    static_configs: [{{targets: ["127.0.0.1:{proxy}"], labels: {{instance: by-socket}}}}]
"""


@pytest.fixture(scope="module")
def prometheus(world: PamWorld) -> Iterator[Prometheus]:
    """One that reads both the file and the socket, as devtrust-metrics(7) says."""
    directory = world.directory / "prometheus"
    directory.mkdir()
    node, proxy, port = (free_port(socket.SOCK_STREAM) for _ in range(3))
    paths = Paths(world)
    (directory / "prometheus.yml").write_text(
        PROMETHEUS_YML.format(alerts=ALERTS, node=node, proxy=proxy))
    promtool("check", "config", directory / "prometheus.yml")
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(
            ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
             f"--collector.textfile.directory={paths.directory}",
             f"--web.listen-address=127.0.0.1:{node}"], directory / "node.log"))
        stack.enter_context(running(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{proxy}", PROXY, paths.socket],
            directory / "proxy.log"))
        stack.enter_context(running(
            ["prometheus", f"--config.file={directory}/prometheus.yml",
             f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--log.level=warn"], directory / "prometheus.log",
            env={**os.environ, "GOMAXPROCS": "1"}))
        made = Prometheus(port)
        wait_until(made.is_up, "Prometheus answers")
        yield made


@pytest.mark.parametrize("instance", ["by-file", "by-socket"])
def test_prometheus_reads_it(world: PamWorld, prometheus: Prometheus, instance: str) -> None:
    wait_until(lambda: prometheus.value(f'up{{instance="{instance}"}}') == 1, "a scrape")
    wait_until(lambda: prometheus.value(
        f'devtrust_signons_total{{instance="{instance}",result="denied",door="pam"}} > 0') == 1,
        "the sign-on")
    for name in {name for name, _ in metrics.from_socket(Paths(world).socket).all}:
        query = f'count({{__name__="{name}",instance="{instance}"}})'
        assert prometheus.value(query), name
    kinds = prometheus.call("targets/metadata", match_target=f'{{instance="{instance}"}}')
    types = {k["metric"]: k["type"] for k in kinds if k["metric"].startswith("devtrust_")}
    total = "_total" if instance == "by-file" else ""
    assert types["devtrust_signons" + total] == "counter"
    assert types["devtrust_signon_duration_seconds"] == "histogram"
    assert types["devtrust_signons_waiting"] == "gauge"


def test_every_query_of_the_dashboard_is_valid(prometheus: Prometheus) -> None:
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m")
            query = query.replace("$instance", ".*").replace("$door", ".*")
            assert prometheus.call("query", query=query)["resultType"], target


def test_an_alert_of_a_real_fault_fires(world: PamWorld, prometheus: Prometheus) -> None:
    """A configuration that does not load is told to devtrustd, and Prometheus tells of it."""
    good = world.site.config_path.read_text()
    wait_until(lambda: prometheus.value(
        'devtrust_config_reloads_total{instance="by-file",result="refused"}') == 0, "the zero")
    assert world.daemon is not None
    world.site.config_path.write_text(good + "[nonsense]\n")
    try:
        world.daemon.send_signal(1)

        def firing() -> set[str]:
            return {a["labels"]["instance"] for a in prometheus.call("alerts")["alerts"]
                    if a["labels"]["alertname"] == "DevtrustReloadRefused"
                    and a["state"] == "firing"}

        wait_until(lambda: firing() == {"by-file", "by-socket"}, "both alerts")
    finally:
        world.site.config_path.write_text(good)
