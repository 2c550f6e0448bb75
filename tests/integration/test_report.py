# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl report: the counts, and the page in a real browser, on a phone and on a desk.
"""devtrustctl report."""

from __future__ import annotations

import json
import os
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.lib import browser
from tests.lib import radius as rad
from tests.lib.browser import Browser
from tests.lib.pamworld import CTL, LIMIT
from tests.lib.radius import ACCEPT, REJECT, World

HOSTILE = ["<script>document.title='x'</script>", "\"><img src=http://192.0.2.1/x onerror=x()>",
           "</td></table></main><style>body{display:none}</style>", "&lt;b&gt; & 'quoted'",
           "\u202egnp.exe\u202c \u0007\u001b[31m", "j\u00f6rg \u4f60\u597d" * 20, "x" * 500]
TABLES = ["applications", "verdicts", "causes", "rules", "factors", "wouldDeny", "losingTrust"]


def event(user: str = "alice@example.com", *, day: int = 20, kind: str = "policy.evaluate_sign_on",
          result: str = "ALLOW", reason: str = "RULE_ALLOW", application: str = "sshd",
          device: str = "", **debug_data: Any) -> bytes:
    target = [{"type": "AppInstance", "alternateId": application}]
    if device:
        target.append({"type": "Device", "id": f"id-{device}", "displayName": device})
    return json.dumps({
        "published": f"2026-11-{day:02}T08:00:00.000Z", "eventType": kind,
        "displayMessage": "Evaluation of sign-on policy",
        "outcome": {"result": result, "reason": reason}, "actor": {"alternateId": user},
        "client": {"device": "Computer"}, "target": target, "transaction": {"id": "0" * 32},
        "debugContext": {"debugData": {"application": application, "verdict": "TRUSTED",
                                       "deviceReason": "TRUSTED", "rule": "r", "reportOnly": False,
                                       **debug_data}}}, ensure_ascii=False).encode() + b"\n"


def report(audit: Path, *arguments: Any, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([CTL, "report", "--file", audit, "--since", "2026-11-01", "--until",
                           "2026-11-30", *arguments], text=True, capture_output=True,
                          timeout=LIMIT)
    assert done.returncode == code, done
    return done


def rows(audit: Path, *arguments: Any, code: int = 0) -> dict[str, list[dict[str, Any]]]:
    """By table, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for text in report(audit, "--json", *arguments, code=code).stdout.splitlines():
        row = json.loads(text)
        found.setdefault(row.pop("table"), []).append(row)
    return found


# --- counts ------------------------------------------------------------------------------------

def test_sign_ons_are_counted_once_in_each_table(tmp_path: Path) -> None:
    """The events of devices and of reloads are no sign-ons."""
    audit = tmp_path / "audit.log"
    audit.write_bytes(
        event() + event(kind="user.authentication.authenticate", result="SUCCESS")
        + event(kind="policy.lifecycle.update", result="FAILURE")
        + event(application="vpn", result="FAILURE", reason="MFA_REJECTED", factor="push",
                durationMs=2000, verdict="NOT_TRUSTED", deviceReason="NOT_ENROLLED", rule="MFA")
        + event(application="vpn", result="SUCCESS", reason="MFA_SUCCESS", factor="push",
                durationMs=10000, verdict="NOT_TRUSTED", deviceReason="NOT_ENROLLED", rule="MFA")
        + event(day=30, reason="LATE"))
    found = rows(audit)
    summary = found["summary"][0]
    assert (summary["signOns"], summary["letIn"], summary["refused"], summary["reportOnly"]) == \
        (4, 3, 1, 0)
    apps = {r["application"]: r for r in found["applications"]}
    assert apps["vpn"]["signOns"] == 2 and apps["vpn"]["refused"] == 1
    assert apps["sshd"]["signOns"] == 2 and "waitMedianMs" not in apps["sshd"]
    push, = found["factors"]
    assert push["factor"] == "push" and push["signOns"] == 2
    assert 2000 <= push["waitMedianMs"] <= 2200 and 10000 <= push["wait95Ms"] <= 11000
    assert {(r["verdict"], r["reason"], r["signOns"]) for r in found["verdicts"]} == {
        ("TRUSTED", "TRUSTED", 2), ("NOT_TRUSTED", "NOT_ENROLLED", 2)}
    assert ("MFA_REJECTED", 1) in {(r["cause"], r["signOns"]) for r in found["causes"]}
    assert {(r["application"], r["rule"]) for r in found["rules"]} == {("sshd", "r"),
                                                                       ("vpn", "MFA")}
    assert "wouldDeny" not in found and "losingTrust" not in found


@pytest.mark.parametrize("arguments, count", [
    (("--application", "vpn"), 1), (("--user", "bob"), 1), (("--user", "nobody"), 0)])
def test_the_report_takes_filters(tmp_path: Path, arguments: tuple[str, ...], count: int) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(event() + event("bob@example.com", application="vpn"))
    assert rows(audit, *arguments, code=0 if count else 1)["summary"][0]["signOns"] == count


def test_what_enforcing_would_refuse(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    skipped = {"result": "SKIPPED", "reason": "REPORT_ONLY", "reportOnly": True}
    audit.write_bytes(
        event("a", device="L1", would="DENY", wouldCause="RULE_DENY", **skipped) * 3
        + event("b", would="DENY", wouldCause="MFA_NO_FACTOR", **skipped)
        + event("c", would="MFA", wouldCause="", **skipped) + event("d", would="ALLOW", **skipped)
        + event("e", result="DENY", reason="RULE_DENY"))
    found = rows(audit)["wouldDeny"]
    assert [(r["person"], r["device"], r["cause"], r["signOns"]) for r in found] == [
        ("a", "L1", "RULE_DENY", 3), ("b", "(none)", "MFA_NO_FACTOR", 1)]


def test_devices_about_to_lose_trust(tmp_path: Path) -> None:
    """The last sign-on counts: a device that was seen in order since is not among them."""
    audit = tmp_path / "audit.log"
    audit.write_bytes(
        event(device="grace", deviceReason="IN_GRACE_PERIOD", day=10)
        + event(device="stale", deviceReason="STALE", day=10)
        + event(device="stale", deviceReason="STALE", day=11)
        + event(device="well", deviceReason="STALE", day=10) + event(device="well", day=12)
        + event(device="refused", deviceReason="STALE", verdict="UNKNOWN", day=10)
        + event(device="good", day=10))
    found = rows(audit)["losingTrust"]
    assert {(r["name"], r["why"]) for r in found} == {("grace", "IN_GRACE_PERIOD"),
                                                      ("stale", "STALE")}


def test_memory_is_bounded_and_nothing_is_left_out(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(b"".join(event(application=f"app{i}") for i in range(500)))
    found = rows(audit)["applications"]
    assert len(found) == 201 and found[-1]["others"] is True
    assert sum(r["signOns"] for r in found) == 500 and found[-1]["signOns"] == 300


def test_broken_lines_and_no_events(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(b"nonsense\n" + event())
    assert rows(audit)["summary"][0]["brokenLines"] == 1
    audit.write_bytes(b"")
    assert rows(audit, code=1)["summary"][0]["signOns"] == 0
    report(tmp_path / "missing", code=2)
    report(audit, "--html", tmp_path / "no" / "such" / "page.html", code=2)


def test_text_for_people(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    audit.write_bytes(event(HOSTILE[4], result="SKIPPED", reportOnly=True, would="DENY"))
    shown = report(audit).stdout
    assert "By application" in shown and "1 reported only" in shown
    assert "\u202e" not in shown and "\x1b" not in shown


# --- a real server's events ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("report"), pki_index) as made:
        yield made
        assert made.radius.stop() == 0, made.radius.log_text()


def test_sign_ons_of_freeradius_are_reported(world: World, tmp_path: Path) -> None:
    yes, no = world.person("yes", "push", push="approve"), world.person("no", "push", push="deny")
    assert world.client().login(yes).code == ACCEPT and world.client().login(no).code == REJECT
    world.outcome(yes, "MFA_SUCCESS")
    world.outcome(no, "MFA_REJECTED")
    page = tmp_path / "page.html"
    done = subprocess.run([CTL, "report", "--json", "--html", page, "-c", world.site.config_path],
                          text=True, capture_output=True, timeout=LIMIT)
    assert done.returncode == 0, done
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert lines[0]["signOns"] == 2 and lines[0]["letIn"] == 1 and "notes" not in lines[0]
    factor = next(r for r in lines if r["table"] == "factors")
    assert factor["factor"] == "push" and factor["waitMedianMs"] > 0
    assert os.stat(page).st_mode & 0o777 == 0o600 and "MFA_REJECTED" in page.read_text()


# --- the page ----------------------------------------------------------------------------------

class Elements(HTMLParser):
    """What a page consists of; the test's own reading of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Optional[str]]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, Optional[str]]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Of hostile names in every column."""
    audit = tmp_path / "audit.log"
    lines = []
    for bad in HOSTILE:
        lines.append(event(bad, application=bad, device=bad, rule=bad, result=bad, reason=bad,
                           verdict=bad, deviceReason=bad, factor=bad, durationMs=1234567))
        lines.append(event(bad, application=bad, device=bad, deviceReason="STALE"))
        lines.append(event(bad, application=bad, device=bad, result="SKIPPED", reportOnly=True,
                           would="DENY", wouldCause=bad))
    audit.write_bytes(b"".join(lines))
    made = tmp_path / "page.html"
    assert report(audit, "--html", made).stdout == ""
    return made


def test_foreign_text_is_text(page: Path) -> None:
    text = page.read_text()
    found = Elements(text)
    assert {tag for tag, _ in found.tags} <= {
        "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2", "p", "time",
        "nav", "ul", "li", "main", "section", "dl", "div", "dt", "dd", "table", "caption", "thead",
        "tbody", "tr", "th", "td"}
    assert len(found.of("style")) == 1 and len(found.of("table")) == len(TABLES)
    for bad in HOSTILE[:4]:
        assert bad in found.text
    assert "\u202e" not in text and "\x1b" not in text and "\x07" not in text
    names = {name for _, attributes in found.tags for name in attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "href", "id",
                     "datetime", "aria-label", "aria-labelledby", "role", "tabindex", "scope",
                     "colspan"}


def test_the_page_needs_nothing_else_and_says_what_it_is(page: Path) -> None:
    found = Elements(page.read_text())
    policy = next(m["content"] for m in found.of("meta")
                  if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "default-src 'none'" in policy
    assert all(str(a["href"]).startswith("#") for a in found.of("a"))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) and set(TABLES) <= set(ids)
    assert {str(a["href"])[1:] for a in found.of("a")} <= set(ids)
    assert found.of("html") == [{"lang": "en"}] and len(found.of("h1")) == 1
    assert len(found.of("caption")) == len(TABLES)
    assert all(th.get("scope") in ("col", "row") for th in found.of("th"))
    assert os.stat(page).st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser.require()
    with Browser(tmp_path_factory.mktemp("browser")) as made:
        yield made


CONTRAST = """(() => {
  const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
      .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255,255,255)'; };
  return Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText).map(e => {
    const a = light(getComputedStyle(e).color), b = light(ground(e));
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })); })()"""


@pytest.mark.parametrize("width, height, dark", [(360, 640, False), (360, 640, True),
                                                 (320, 568, False), (1280, 800, False),
                                                 (1280, 800, True)])
def test_the_page_fits_a_phone_and_a_desk(chromium: Browser, page: Path, width: int, height: int,
                                          dark: bool) -> None:
    chromium.size(width, height, mobile=width < 600, dark=dark)
    chromium.open(page)
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value("document.title") == "devtrust: sign-ons"
    assert chromium.requested() == [page.as_uri()] and chromium.complaints() == []
    assert chromium.value("getComputedStyle(document.body).display") == "block"
    assert chromium.value("document.scripts.length + document.images.length") == 0
    assert chromium.value(CONTRAST) >= 4.5
    picture = chromium.screenshot()
    assert picture.startswith(b"\x89PNG")
    keep = os.environ.get("DEVTRUST_PICTURES")
    if keep:
        Path(keep, f"report-{width}{'-dark' if dark else ''}.png").write_bytes(picture)


def test_the_page_works_by_keyboard(chromium: Browser, page: Path) -> None:
    """Tab goes through the skip link, the list of tables, and each table, and shows where it is."""
    chromium.size(360, 640, mobile=True)
    chromium.open(page)
    where = []
    for _ in range(1 + 2 * len(TABLES)):
        chromium.tab()
        where.append(chromium.value("document.activeElement.getAttribute('href') || "
                                    "document.activeElement.getAttribute('aria-labelledby')"))
        if len(where) > 1:
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert chromium.value(outline) == "solid"
    assert where == ["#summary", *("#" + name for name in TABLES), *TABLES]
