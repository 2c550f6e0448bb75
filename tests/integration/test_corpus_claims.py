# SPDX-License-Identifier: GPL-2.0-or-later
# The corpus of claims: `devtrustctl device explain` says of every managed app configuration and of
# every VPN client's claims what the table says.
"""Tests of devtrustctl device explain --managed-config and --claims."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.integration.test_corpus import verdict_of
from tests.integration.test_ctl import FAULT, NO, YES, run
from tests.lib.site import Site
from tests.pki import claims as table
from tests.sim.client import Sim

Answers = dict[str, dict[str, Any]]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of several owners are made")


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("claims-sim")) as sim:
        yield sim


@pytest.fixture(name="corpus", scope="module")
def _corpus(tmp_path_factory: pytest.TempPathFactory) -> table.Claims:
    return table.Claims(tmp_path_factory.mktemp("claims"))


def add_aliases(site: Site) -> None:
    """Those of the table; and a name that two devices have, and one whose row is broken."""
    config = site.config_path
    for name, device in {**table.ALIASES, "uid:shared": table.PHONE,
                         "uid:broken": table.PHONE}.items():
        assert run("device", "alias", "add", "-c", config, name, device).code == YES
    rows = {"uid:broken": b"{broken", "uid:shared": b'{"v":2,"synced":1,"device":""}'}
    with sqlite3.connect(site.store_path) as store:
        tables = [row[0] for row in store.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]
        changed = 0
        for name in tables:
            columns = {row[1] for row in store.execute(f"PRAGMA table_info({name})")}
            for alias, value in rows.items() if {"key", "value"} <= columns else ():
                changed += store.execute(f"UPDATE {name} SET value = ? WHERE key LIKE ?",
                                         (value, "%alias:" + alias)).rowcount
        assert changed == len(rows), tables


@pytest.fixture(name="sites", scope="module")
def _sites(tmp_path_factory: pytest.TempPathFactory, world: Sim,
           pki_index: dict[str, Any]) -> dict[str, Site]:
    made = {}
    for name, settings in table.SITES.items():
        site = Site(tmp_path_factory.mktemp("site-" + name), world, pki_index)
        hint = site.directory / "hint"
        hint.write_text("# in rotation\n" + "\n".join(table.HINTS) + "\n")
        os.chmod(hint, 0o600)
        site.configure({"okta": {"org_url": table.ORG}, "device_trust": {
            **settings, "management_hint_file": hint,
            "managed_configuration_file": site.directory / "managed.json"}})
        add_aliases(site)
        made[name] = site
    return made


def explain(site: Site, paths: list[Path], *words: str) -> Answers:
    answer = run("device", "explain", "-c", site.config_path, "--json", *words, *paths)
    assert answer.code != FAULT, answer
    found = [json.loads(text) for text in answer.lines]
    assert [f["file"] for f in found] == [str(p) for p in paths]
    return {f["file"]: f for f in found}


def words_of(case: table.Claim) -> tuple[str, ...]:
    return ("--managed-config", "--user", case.user) if case.managed else ("--claims",)


@pytest.fixture(name="answers", scope="module")
def _answers(corpus: table.Claims, sites: dict[str, Site]) -> Answers:
    groups: dict[Any, list[Path]] = defaultdict(list)
    for case in corpus.cases:
        groups[case.site, words_of(case)].append(case.path)
    said: Answers = {}
    for (site, words), paths in groups.items():
        said.update(explain(sites[site], paths, *words))
    return said


def wrong_in(case: table.Claim, said: dict[str, Any]) -> Optional[str]:
    """What is not as the table says; None when all is."""
    if (said["reason"], said["verdict"]) != (case.expect, verdict_of(case.expect)):
        return (f"{case.name} ({case.why}): {said['verdict']} {said['reason']} instead of "
                f"{case.expect}: {said.get('detail')}")
    for member, value in case.facts.items():
        if said.get(member) != value:
            return f"{case.name} ({case.why}): {member} is {said.get(member)} instead of {value}"
    if case.says not in said.get("detail", ""):
        return f"{case.name} ({case.why}): {said.get('detail')!r} does not say {case.says!r}"
    if case.expect != "TRUSTED" and case.managed and not said.get("detail"):
        return f"{case.name}: refused without a word"
    if any(hint in json.dumps(said) for hint in table.HINTS):
        return f"{case.name}: a secret key is shown"
    return None


def test_the_corpus_is_large_and_mostly_bad(corpus: table.Claims) -> None:
    for managed in (True, False):
        cases = [c for c in corpus.cases if c.managed == managed]
        good = Counter(c.expect for c in cases)["TRUSTED"]
        assert len(cases) >= 60 and good >= 15 and len(cases) - good > good
    assert all(c.why for c in corpus.cases)


def test_every_row_gets_its_verdict(corpus: table.Claims, answers: Answers) -> None:
    found = [text for text in (wrong_in(c, answers[str(c.path)]) for c in corpus.cases) if text]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["managed-good", "managed-org-other", "claims-uid",
                                  "claims-trust-several"])
def test_text_says_the_same(name: str, corpus: table.Claims, sites: dict[str, Site],
                            answers: Answers) -> None:
    case = next(c for c in corpus.cases if c.name == name)
    said = answers[str(case.path)]
    answer = run("device", "explain", "-c", sites[case.site].config_path, *words_of(case),
                 case.path)
    assert answer.code == (YES if case.expect == "TRUSTED" else NO)
    assert answer.lines[0].split()[:2] == [said["verdict"], said.get("deviceId", "-")]
    assert case.expect in answer.lines[0] and said.get("detail", "") in answer.out
    for text in (said.get("org", ""), *said.get("names", [])):
        assert text in answer.out


def test_nothing_is_written(corpus: table.Claims, sites: dict[str, Site]) -> None:
    site = sites["claims"]
    before = run("device", "alias", "list", "-c", site.config_path).out
    explain(site, [c.path for c in corpus.cases if not c.managed][:5], "--claims")
    assert run("device", "alias", "list", "-c", site.config_path).out == before


@pytest.mark.parametrize("words", [
    ("--managed-config",), ("--user", "ann"), ("--claims", "--user", "ann"),
    ("--claims", "--managed-config", "--user", "ann"), ("--claims", "--ocsp-answer", "x"),
    ("--managed-config", "--user", "a" * 5000)])
def test_wrong_usage(words: tuple[str, ...], corpus: table.Claims, sites: dict[str, Site]) -> None:
    answer = run("device", "explain", "-c", sites["claims"].config_path, *words,
                 corpus.cases[0].path)
    assert answer.code == FAULT and answer.err and not answer.out


def test_without_a_secret_key_nothing_can_be_said(tmp_path: Path, world: Sim, corpus: table.Claims,
                                                  pki_index: dict[str, Any]) -> None:
    site = Site(tmp_path / "site", world, pki_index)
    answer = run("device", "explain", "-c", site.config_path, "--managed-config", "--user", "ann",
                 corpus.cases[0].path)
    assert answer.code == FAULT and "management_hint_file" in answer.err
