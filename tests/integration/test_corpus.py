# SPDX-License-Identifier: GPL-2.0-or-later
# The corpus of certificates: `devtrustctl device explain` says of every file what the table says.
"""Tests of devtrustctl device explain, and of everything that judges what a device shows."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from tests.integration.test_ctl import FAULT, NO, YES, run
from tests.lib.site import Site
from tests.pki import corpus as table
from tests.sim.client import Sim

Answers = dict[str, dict[str, Any]]


def verdict_of(reason: str) -> str:
    return {"TRUSTED": "TRUSTED", "LOOKUP_UNAVAILABLE": "UNKNOWN"}.get(reason, "NOT_TRUSTED")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("corpus-sim"), tenant=table.TENANT) as sim:
        yield sim


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> table.Corpus:
    return table.Corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, world: Sim, corpus: table.Corpus,
          pki_index: dict[str, Any]) -> dict[str, Site]:
    """A site for each row of SITES, which differ in how they know what was revoked."""
    def placed(settings: dict[str, str]) -> dict[str, Any]:
        return {k: corpus.out / v if k.endswith("_file") else v for k, v in settings.items()}
    made = {}
    for name, settings in table.SITES.items():
        site = Site(tmp_path_factory.mktemp("site-" + name), world, pki_index)
        for file, place in (("company.pem", "company_ca.pem"), ("shared.pem", "shared_ca.pem")):
            shutil.copy(corpus.out / file, site.directory / place)
        named = table.SECTIONS.get(name, {})
        site.configure({"device_trust": placed(settings),
                        **{section: placed(more) for section, more in named.items()}})
        made[name] = site
    return made


def explain(site: Site, paths: list[Path], at: Optional[str] = None,
            ocsp: Optional[Path] = None) -> Answers:
    """What it says of each file, by its path."""
    more = [] if at is None else ["--at", at]
    more += [] if ocsp is None else ["--ocsp-answer", str(ocsp)]
    answer = run("device", "explain", "-c", site.config_path, "--json", *more, *paths)
    assert answer.code != FAULT, answer
    found = [json.loads(text) for text in answer.lines]
    assert [f["file"] for f in found] == [str(p) for p in paths]
    return {f["file"]: f for f in found}


@pytest.fixture(scope="module")
def answers(corpus: table.Corpus, sites: dict[str, Site]) -> Answers:
    groups: dict[Any, list[Path]] = defaultdict(list)
    for case in corpus.cases:
        groups[case.site, case.at, case.ocsp].append(case.path)
    said: Answers = {}
    for (site, at, ocsp), paths in groups.items():
        said.update(explain(sites[site], paths, at, ocsp))
    return said


def wrong_in(case: table.Case, said: dict[str, Any]) -> Optional[str]:
    """What is not as the table says; None when all is."""
    if (said["reason"], said["verdict"]) != (case.expect, verdict_of(case.expect)):
        return (f"{case.name} ({case.why}): {said['verdict']} {said['reason']} instead of "
                f"{case.expect}: {said.get('detail')}")
    if case.expect == "TRUSTED" and said.get("deviceId") != case.device:
        return f"{case.name}: device {said.get('deviceId')}"
    if case.expect == "TRUSTED" and said.get("entraDeviceId") != case.entra:
        return f"{case.name}: Entra's device {said.get('entraDeviceId')}"
    if case.serial is not None and said.get("hardwareSerial") != case.serial:
        return f"{case.name}: serial number {said.get('hardwareSerial')}"
    if case.expect == "TRUSTED" and said.get("ca", "") != (case.ca or ""):
        return f"{case.name}: judged by the rules of {said.get('ca')}"
    soft = case.site.endswith("-soft") and case.expect == "TRUSTED"
    soft = soft and case.ocsp is None  # an answer takes the place
    if said.get("revocationNotChecked", False) != soft:
        return f"{case.name}: says wrongly whether revocation was checked"
    if case.expect != "TRUSTED" and not said.get("detail"):
        return f"{case.name}: refused without a word"
    if case.expect != "TRUSTED" and case.says not in said["detail"]:
        return f"{case.name}: \"{case.says}\" is not in \"{said['detail']}\""
    return None


def test_the_corpus_is_large_and_mostly_bad(corpus: table.Corpus) -> None:
    kinds = Counter(case.expect for case in corpus.cases)
    assert len(corpus.cases) >= 200
    assert kinds["TRUSTED"] >= 50 and len(corpus.cases) - kinds["TRUSTED"] >= 100
    assert all(kinds[reason] >= 2 for reason in kinds), kinds
    assert all(case.why for case in corpus.cases)


def test_every_row_gets_its_verdict(corpus: table.Corpus, answers: Answers) -> None:
    wrong = [wrong_in(case, answers[str(case.path)]) for case in corpus.cases]
    found = [text for text in wrong if text]
    assert not found, "\n".join(found)


def test_every_certificate_of_the_pki_gets_its_verdict(tmp_path: Path, world: Sim,
                                                       pki_index: dict[str, Any]) -> None:
    site = Site(tmp_path / "site", world, pki_index)
    paths = {Path(d["files"]["chain"]): d for d in pki_index["devices"].values()}
    said = explain(site, list(paths))
    for path, device in paths.items():
        assert said[str(path)]["reason"] == device["reason"], path.name
        if device["reason"] == "TRUSTED":
            assert said[str(path)]["deviceId"] == device["device_id"], path.name


def test_text_says_the_same(corpus: table.Corpus, sites: dict[str, Site], answers: Answers) -> None:
    for name in ("chain-direct", "eku-server", "form-subject-control"):
        case = next(c for c in corpus.cases if c.name == name)
        answer = run("device", "explain", "-c", sites["plain"].config_path, case.path)
        said = answers[str(case.path)]
        assert answer.code == (YES if case.expect == "TRUSTED" else NO)
        assert answer.lines[0].split()[0] == said["verdict"]
        assert (case.expect in answer.lines[0]) or case.expect == "TRUSTED"
        if "detail" in said:
            assert said["detail"] in answer.lines[1]


def test_one_bad_file_among_good_ones_is_no(corpus: table.Corpus, sites: dict[str, Site]) -> None:
    paths = {c.name: c.path for c in corpus.cases}
    config = sites["plain"].config_path
    good, bad = paths["chain-direct"], paths["eku-server"]
    assert run("device", "explain", "-c", config, good, good).code == YES
    assert run("device", "explain", "-c", config, good, bad, good).code == NO
    assert run("device", "explain", "-c", config, good, "/nowhere/x.pem", good).code == FAULT


@pytest.mark.parametrize("words", [("explain",), ("explain", "x", "--at", "tomorrow"),
                                   ("explain", "x", "--trusted"), ("list", "--at", "2026-01-01"),
                                   ("add", "x", "--at", "2026-01-01T00:00:00Z")])
def test_wrong_usage(words: tuple[str, ...], sites: dict[str, Site]) -> None:
    answer = run("device", *words, "-c", sites["plain"].config_path)
    assert answer.code == FAULT and answer.err and not answer.out


def test_intune_says_whose_an_entra_certificate_is(corpus: table.Corpus, sites: dict[str, Site],
                                                   world: Sim) -> None:
    case = next(c for c in corpus.cases if c.entra and c.expect == "TRUSTED")
    site = sites[case.site]

    def verdict() -> tuple[str, str, Optional[str]]:
        answer = run("explain", "-c", site.config_path, "--json", "--user", "alice",
                     "--application", "vpn", "--certificate", case.path, "--assume-proof")
        assert answer.code in (YES, NO), answer
        said = json.loads(answer.out)["verdict"]
        return said["trust"], said["reason"], said.get("deviceId")

    def until(wanted: tuple[str, str, Optional[str]]) -> None:
        """A negative answer is kept for a second."""
        deadline = time.monotonic() + 60
        while (said := verdict()) != wanted:
            assert time.monotonic() < deadline, said

    # Entra's id is not Intune's: a device that has it for its Intune id is another one.
    world.enrol_device(case.entra, azureADDeviceId=str(uuid.uuid4()))
    assert verdict()[:2] == ("NOT_TRUSTED", "NOT_ENROLLED")
    device = world.enrol_device(str(uuid.uuid4()), azureADDeviceId=case.entra)["id"]
    until(("TRUSTED", "TRUSTED", device))
    calls = world.count("graph.total")
    assert verdict() == ("TRUSTED", "TRUSTED", device) and world.count("graph.total") == calls
    # Two have it: never the first one.
    twin = world.enrol_device(str(uuid.uuid4()), azureADDeviceId=case.entra)["id"]
    assert run("device", "forget", "-c", site.config_path, device).code == YES
    assert verdict()[:2] == ("NOT_TRUSTED", "NOT_ENROLLED")
    world.remove_device(device)
    until(("TRUSTED", "TRUSTED", twin))
    assert world.count("graph.device") == 0


def test_intune_says_whose_a_serial_number_is(corpus: table.Corpus, sites: dict[str, Site],
                                              world: Sim) -> None:
    case = next(c for c in corpus.cases if c.serial)
    site = sites[case.site]

    def verdict() -> tuple[str, str, Optional[str]]:
        answer = run("explain", "-c", site.config_path, "--json", "--user", "alice",
                     "--application", "vpn", "--certificate", case.path, "--assume-proof")
        assert answer.code in (YES, NO), answer
        said = json.loads(answer.out)["verdict"]
        return said["trust"], said["reason"], said.get("deviceId")

    def until(wanted: tuple[str, str, Optional[str]]) -> None:
        """A negative answer is kept for a second."""
        deadline = time.monotonic() + 60
        while (said := verdict()) != wanted:
            assert time.monotonic() < deadline, said

    assert verdict()[:2] == ("NOT_TRUSTED", "NOT_ENROLLED")
    device = world.enrol_device(serialNumber=case.serial)["id"]
    until(("TRUSTED", "TRUSTED", device))
    calls = world.count("graph.total")
    assert verdict() == ("TRUSTED", "TRUSTED", device) and world.count("graph.total") == calls
    # Two have it: never the first one.
    twin = world.enrol_device(serialNumber=case.serial)["id"]
    assert run("device", "forget", "-c", site.config_path, device).code == YES
    assert verdict()[:2] == ("NOT_TRUSTED", "NOT_ENROLLED")
    world.remove_device(device)
    until(("TRUSTED", "TRUSTED", twin))
