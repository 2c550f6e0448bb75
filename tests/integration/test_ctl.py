# SPDX-License-Identifier: GPL-2.0-or-later
# The administrator's command on real files, a real store and the simulated tenant.
#
# Every answer is judged by exit code and by what is printed; nothing that is printed may hold a
# control character, whatever the certificates and the audit file say.
"""Tests of devtrustctl."""

from __future__ import annotations

import configparser
import datetime
import gzip
import json
import os
import pwd
import shutil
import subprocess
import unicodedata
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest
from cryptography.hazmat.primitives import serialization

from tests.integration.test_check_pam import Host
from tests.lib.site import (CATCH_ALL_RULE, NOT_TRUSTED_RULE, TRUSTED_RULE, Site, catch_all,
                            guide_policy, rule)
from tests.pki import authority as ca
from tests.pki import pki as pki_maker
from tests.sim.client import Sim

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("DEVTRUST_BUILD", ROOT / "build"))
CTL = BUILD / "devtrustctl"
LIMIT = 120.0
HOSTILE = "a\x1b[31mb\r\nadded\u202ec\u009bd\x07"

YES, NO, FAULT, OPEN = 0, 1, 2, 3


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def line(self, start: str) -> str:
        """What stands behind the first word of the one line that starts with it."""
        found = [text for text in self.lines if text.split(" ")[0] == start]
        assert len(found) == 1, self
        return found[0][len(start):].strip()


def is_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp", "Cs")


def run(*arguments: Any, stdin: bytes = b"") -> Answer:
    """Runs it; whatever it prints must be harmless."""
    done = subprocess.run([str(CTL), *map(str, arguments)], input=stdin, capture_output=True,
                          timeout=LIMIT, check=False)
    answer = Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
    bad = [c for c in answer.out + answer.err if c != "\n" and not is_shown(c)]
    assert not bad, (bad, answer)
    assert answer.code in (YES, NO, FAULT, OPEN), answer
    assert all(text.startswith("devtrustctl: ") for text in answer.err.splitlines()), answer
    return answer


# --- the world ----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ctl")


@pytest.fixture(scope="module")
def index(pki_index: dict[str, Any]) -> dict[str, Any]:
    return pki_index


@pytest.fixture(scope="module")
def world(directory: Path, index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(directory / "sim", tenant=index["tenant_id"]) as sim:
        yield sim


@pytest.fixture
def site(tmp_path: Path, world: Sim, index: dict[str, Any]) -> Site:
    world.reset()
    return Site(tmp_path / "site", world, index, applications=("vpn", "wifi", "sshd"))


@pytest.fixture(scope="module")
def own_pki(directory: Path, index: dict[str, Any]) -> pki_maker.Pki:
    """Authorities of our own, for certificates that the index does not hold."""
    made = pki_maker.Pki(directory / "own", index["tenant_id"])
    made.write_authorities()
    return made


def trust_own(site: Site, own_pki: pki_maker.Pki) -> None:
    shutil.copy(own_pki.out / "company-ca.pem", site.directory / "company_ca.pem")


def certificate(index: dict[str, Any], name: str) -> str:
    return index["devices"][name]["files"]["certificate"]


def device_id(index: dict[str, Any], name: str) -> str:
    return index["devices"][name]["device_id"]


# --- usage --------------------------------------------------------------------------------------

COMMANDS = ("check-config", "check-pam", "setup", "explain", "device", "policy", "forget", "log",
            "report", "signals", "version", "help")


def test_help_names_every_command() -> None:
    answer = run("help")
    assert answer.code == YES
    for name in COMMANDS:
        assert f"  {name} " in answer.out
        assert run("help", name).lines[0].startswith(f"usage: devtrustctl {name}")
        assert run(name, "--help").out == run("help", name).out
    assert run("--help").out == answer.out
    assert all(len(line) <= 100 for name in COMMANDS for line in run("help", name).lines)


def test_version() -> None:
    assert run("version").out.startswith("devtrust ")
    assert run("--version").out == run("version").out


@pytest.mark.parametrize("arguments", [
    (), ("chek-config",), ("explain",), ("version", "x"), ("help", "nothing"), ("help", "a", "b"),
    ("check-config", "x"), ("check-config", "-c"), ("version", "--json", "x"),
    ("device",), ("device", "ad"), ("device", "add"), ("device", "remove"),
    ("device", "list", "x"), ("device", "list", "--force"),
    ("explain", "--user", "a"), ("explain", "--application", "vpn"),
    ("explain", "--user", "a" * 300, "--application", "vpn"),
    ("explain", "--user", "a", "--application", "v" * 100),
    ("explain", "--user", "a", "--application", "vpn", "--ip", "host.example.com"),
    ("explain", "--user", "a", "--application", "vpn", "--assume-proof"),
    ("explain", "--user", "a", "--application", "vpn", "--device", "x", "--this-host"),
    ("explain", "--user", "a", "--application", "vpn", "x"),
    ("explain", "--user", "a", "--user", "b", "--application", "vpn"),
    ("log", "x"), ("log", "--last", "0"), ("log", "-n", "x"), ("log", "-n", "100000000"),
    ("log", "-n", "-1"), ("log", "--since", "tomorrow"),
    ("log", "--until", "x"), ("report", "x"), ("log", "--since", "1"),
    ("log", "--query", ""), (HOSTILE,), ("log", HOSTILE), ("log", "--" + HOSTILE),
])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert answer.code == FAULT
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1


def test_version_and_help_as_json() -> None:
    (version,) = run("version", "--json").lines
    assert "devtrust " + json.loads(version)["version"] == run("version").lines[0]
    commands = [json.loads(line) for line in run("help", "--json").lines]
    assert {one["command"] for one in commands} >= set(COMMANDS)
    for one in commands:
        assert [json.dumps(one)] == [json.dumps(json.loads(line))
                                     for line in run("help", "--json", one["command"]).lines]
        assert f'  {one["command"]} ' in run("help").out and one["summary"] in run("help").out
        assert one["options"].splitlines() == run("help", one["command"]).lines[2:]


def test_full_disk_is_a_fault() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(CTL), "help"], stdout=full, stderr=subprocess.PIPE,
                              timeout=LIMIT, check=False)
    assert done.returncode == FAULT
    assert b"could not be written" in done.stderr


# --- check-config -------------------------------------------------------------------------------

def check(site: Site) -> Answer:
    return run("check-config", "-c", site.config_path)


def test_check_config_of_a_good_site(site: Site, index: dict[str, Any]) -> None:
    host = index["devices"]["host"]["files"]
    site.configure({"device_trust": {"host_certificate_file": host["certificate"],
                                     "host_key_file": host["key"]}})
    answer = check(site)
    assert answer.code == YES and answer.err == "", answer
    assert "trusted when  certificate+intune, ssh-key+intune" in answer.lines
    assert "CN=Example Device CA" in answer.out
    assert "CN=Microsoft Intune MDM Device CA" in answer.out
    for name in ("vpn", "wifi", "sshd"):
        digest = subprocess.run(["sha256sum", site.policy_directory / (name + ".json")],
                                capture_output=True, check=True).stdout.split()[0].decode()
        assert f"policy        {name}: 3 rules, sha256 {digest}" in answer.lines
    assert device_id(index, "host") in answer.out
    assert "0 device keys enrolled" in answer.out
    assert answer.lines[-1].endswith("in order, 0 warnings")
    assert not site.audit_path.exists(), "its owner would be whoever checks"


def test_check_config_tells_of_pam(site: Site, tmp_path: Path) -> None:
    """The ways around devtrust are warnings there; a service needs a policy, too."""
    host = Host(tmp_path / "host")
    answer = run("check-config", "-c", site.config_path, "--root", host.root)
    assert answer.code == 0 and "0 services are protected" in answer.line("PAM")
    assert not any("PAM service" in line for line in answer.lines)
    host.install("sudo")
    answer = run("check-config", "-c", site.config_path, "--root", host.root)
    told = [line for line in answer.lines if line.startswith("warning       PAM service")]
    assert answer.code == 0 and len(told) == 2
    assert "sudo cannot work: sudo has no policy" in told[0]
    assert "sudo-i can be bypassed" in told[1] and "write:" in told[1]
    site.set_policy(guide_policy("sudo"))
    host.install("sudo-i")
    answer = run("check-config", "-c", site.config_path, "--root", host.root)
    assert "2 services are protected" in answer.line("PAM")
    assert not any("PAM service" in line for line in answer.lines)


def check_pam_of(site: Site, host: Host, service: str) -> str:
    answer = run("check-pam", "-c", site.config_path, "--no-sshd", "--root", host.root, service)
    return answer.out.partition("PAM services:")[0]


def test_check_pam_knows_the_configuration(site: Site, tmp_path: Path) -> None:
    host = Host(tmp_path / "host")
    host.install("login", "su-l", "su")
    assert "login has no policy" in check_pam_of(site, host, "login")
    site.set_policy(guide_policy("login"))
    site.set_policy(guide_policy("su"))
    site.set_policy(guide_policy("passwd"))
    assert check_pam_of(site, host, "login").startswith("login                protected")
    assert check_pam_of(site, host, "su-l").startswith("su-l                 protected")
    assert "no line asks devtrust" in check_pam_of(site, host, "passwd")
    # A push is waited for longer than login lets anybody try.
    (host.root / "etc" / "login.defs").write_text("LOGIN_TIMEOUT 25\n")
    site.configure({"mfa": {"wait_pam": "20s"}})
    assert "cannot work" not in check_pam_of(site, host, "login")
    site.configure({"mfa": {"wait_pam": "25s"}})
    assert "before wait_pam" in check_pam_of(site, host, "login")
    (host.root / "etc" / "login.defs").unlink()
    # Both have to say who checks the password.
    site.configure({"primary": {"okta_password": "login"}})
    assert "does not take the Okta password" in check_pam_of(site, host, "login")
    shutil.copy(ROOT / "conf" / "pam.d" / "login-devtrust-okta", host.pam / "login")
    assert "cannot work" not in check_pam_of(site, host, "login")
    site.configure({"primary": {"okta_password": None}})
    assert "okta_password does not name login" in check_pam_of(site, host, "login")


def test_check_config_writes_no_secret(site: Site) -> None:
    answer = check(site)
    assert site.okta_token_path.read_text().strip() not in answer.out + answer.err
    assert site.state_key_path.read_bytes().hex() not in answer.out + answer.err


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def policy_file(site: Site) -> Path:
    return site.policy_directory / "vpn.json"


def change_policy(site: Site, change: Callable[[dict[str, Any]], None]) -> None:
    policy = json.loads(policy_file(site).read_text())
    change(policy)
    policy_file(site).write_text(json.dumps(policy))


def graph_pair(site: Site, **validity: datetime.datetime) -> None:
    """Another certificate for the app registration, with its own key."""
    identity = ca.Authority.root("Example").issue(ca.name("devtrust"), ca.make_key("rsa2048"),
                                                  **validity)
    ca.write_file(site.graph_certificate, identity.certificate_pem())
    ca.write_file(site.graph_key, identity.key_pem(), 0o600)


def ago(days: int) -> datetime.datetime:
    return ca.now() - datetime.timedelta(days=days)


def symlink_config(site: Site) -> None:
    real = site.directory / "real.conf"
    site.config_path.rename(real)
    site.config_path.symlink_to(real)


def host_of(site: Site, certificate_of: str, key_of: str) -> None:
    devices = site.pki["devices"]
    site.configure({"device_trust": {
        "host_certificate_file": devices[certificate_of]["files"]["certificate"],
        "host_key_file": devices[key_of]["files"]["key"]}})


def readable_host_key(site: Site) -> None:
    key = site.directory / "host.key"
    shutil.copy(site.pki["devices"]["host"]["files"]["key"], key)
    key.chmod(0o644)
    site.configure({"device_trust": {
        "host_certificate_file": site.pki["devices"]["host"]["files"]["certificate"],
        "host_key_file": key}})


def remove_policies(site: Site) -> None:
    for path in site.policy_directory.glob("*.json"):
        path.unlink()


BROKEN: dict[str, tuple[Callable[[Site], Any], tuple[str, ...]]] = {
    "no file": (lambda s: s.config_path.unlink(), ("devtrust.conf", "does not exist")),
    "unknown key": (lambda s: edit(s.config_path, "org_url", "org_ulr"),
                    ("devtrust.conf:2", "org_ulr")),
    "unknown section": (lambda s: edit(s.config_path, "[okta]", "[otka]"),
                        ("devtrust.conf:1:", "unknown section")),
    "bad word": (lambda s: s.configure({"policy": {"okta_unavailable": "maybe"}}),
                 ("okta_unavailable", "deny")),
    "bad duration": (lambda s: s.configure({"device_trust": {"cache_ttl": "soon"}}),
                     ("cache_ttl",)),
    "key missing": (lambda s: s.configure({"okta": {"org_url": None}}), ("org_url",)),
    "plain http": (lambda s: s.configure({"okta": {"org_url": "http://example.okta.com"}}),
                   ("org_url", "https")),
    "key twice": (lambda s: edit(s.config_path, "[okta]\n", "[okta]\ntimeout = 3s\n"),
                  ("timeout", "devtrust.conf:")),
    "config writable": (lambda s: s.config_path.chmod(0o666), ("devtrust.conf", "chmod go-w")),
    "config a link": (symlink_config, ("symbolic link",)),
    "token missing": (lambda s: s.okta_token_path.unlink(),
                      ("[okta] api_token_file", "does not exist")),
    "token readable": (lambda s: s.okta_token_path.chmod(0o644),
                       ("[okta] api_token_file", "chmod 6")),
    "token with SSWS": (lambda s: s.okta_token_path.write_text("SSWS abcdefghijklm\n"),
                        ("[okta] api_token_file", "without")),
    "no policies": (remove_policies, ("[policy] directory", "contains no policy")),
    "policy not JSON": (lambda s: policy_file(s).write_text("{"), ("vpn.json", "line 1")),
    "policy writable": (lambda s: policy_file(s).chmod(0o666), ("vpn.json", "chmod go-w")),
    "policy with an unknown member": (
        lambda s: change_policy(s, lambda p: p["rules"][0].update(colour="red")),
        ("vpn.json", "/rules/0", "colour")),
    "policy without catch-all": (lambda s: change_policy(s, lambda p: p["rules"].pop()),
                                 ("vpn.json", "catch-all")),
    "policy of another application": (
        lambda s: change_policy(s, lambda p: p.update(application="wifi")),
        ("vpn.json", "/application", "wifi")),
    "policy with an unknown zone": (
        lambda s: s.set_policy({"name": "vpn", "application": "vpn", "rules": [
            rule("office", 1, network={"connection": "ZONE", "include": ["office"]}),
            catch_all()]}),
        ("vpn.json", "office")),
    "zones missing": (lambda s: s.configure({"policy": {"zones_file": "/nonexistent/z.json"}}),
                      ("[policy] zones_file",)),
    "CA missing": (lambda s: (s.directory / "company_ca.pem").unlink(),
                   ("[device_trust] ca_file", "does not exist")),
    "CA no certificate": (lambda s: (s.directory / "company_ca.pem").write_text("x"),
                          ("[device_trust] ca_file", "company_ca.pem")),
    "CA a key": (lambda s: shutil.copy(s.graph_key, s.directory / "company_ca.pem"),
                 ("[device_trust] ca_file", "PRIVATE KEY")),
    "CA a device's": (
        lambda s: shutil.copy(s.pki["devices"]["host"]["files"]["certificate"],
                              s.directory / "company_ca.pem"),
        ("[device_trust] ca_file", "not a CA certificate")),
    "CA in the wrong class": (
        lambda s: shutil.copy(s.pki["authorities"]["shared_ca"], s.directory / "company_ca.pem"),
        ("[device_trust] ca_file", "shared_ca_file")),
    "state key short": (lambda s: s.state_key_path.write_bytes(b"short"),
                        ("[store] state_key_file", "openssl rand")),
    "state key zeros": (lambda s: s.state_key_path.write_bytes(bytes(32)),
                        ("[store] state_key_file",)),
    "state key readable": (lambda s: s.state_key_path.chmod(0o644),
                           ("[store] state_key_file", "chmod 6")),
    "Graph key of another": (
        lambda s: shutil.copy(s.pki["devices"]["device-rsa"]["files"]["key"], s.graph_key),
        ("[intune] certificate_file", "key_file")),
    "Graph key readable": (lambda s: s.graph_key.chmod(0o644), ("graph.key", "chmod 6")),
    "host key of another": (lambda s: host_of(s, "host", "device-rsa"),
                            ("[device_trust] host_certificate_file", "does not belong")),
    "host key readable": (readable_host_key, ("host.key", "chmod 6")),
    "store without directory": (
        lambda s: s.configure({"store": {"path": s.directory / "none" / "state.db"}}),
        ("[store] path", "No such file")),
    "store of something else": (
        lambda s: (s.store_path.write_bytes(b"not a database" * 400), s.store_path.chmod(0o600)),
        ("[store] path", "not a store")),
    "store for all": (lambda s: (s.store_path.write_bytes(b""), s.store_path.chmod(0o644)),
                      ("[store] path", "chmod 600")),
    "no audit trail": (lambda s: s.configure({"audit": {"file": "", "syslog": "no"}}),
                       ("[audit] syslog",)),
    "audit file writable": (
        lambda s: (s.audit_path.write_text(""), s.audit_path.chmod(0o666)),
        ("[audit] file", "chmod go-w")),
    "audit file a folder": (lambda s: s.audit_path.mkdir(), ("[audit] file", "regular")),
    "audit without directory": (
        lambda s: s.configure({"audit": {"file": s.directory / "none" / "audit.log"}}),
        ("[audit] file", "No such file")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_check_config_of_a_broken_site(site: Site, name: str) -> None:
    break_it, wanted = BROKEN[name]
    break_it(site)
    answer = check(site)
    assert answer.code == FAULT, answer
    for text in wanted:
        assert text in answer.err, answer
    assert "in order" not in answer.out


ADVISED = ("config writable", "token readable", "policy writable", "state key short",
           "state key zeros", "state key readable", "Graph key readable", "host key readable")


@pytest.mark.parametrize("name", ADVISED)
def test_check_config_advice_works(site: Site, name: str) -> None:
    """What an error says to run is run as it stands there, and the fault is gone."""
    BROKEN[name][0](site)
    _, found, command = check(site).err.splitlines()[0].partition("run: ")
    assert found
    subprocess.run(["sh", "-c", command], check=True, timeout=LIMIT)
    answer = check(site)
    assert answer.code == YES and answer.err == "", answer


def sample_values() -> dict[tuple[str, str], str]:
    """What the sample configuration sets."""
    sample = configparser.ConfigParser(interpolation=None)
    sample.read(ROOT / "conf" / "devtrust.conf")
    return {(section, name): value for section in sample for name, value in sample[section].items()}


@pytest.mark.parametrize("section, name", [
    ("okta", "org_url"), ("intune", "tenant_id"), ("intune", "client_id")])
def test_check_config_finds_placeholders(site: Site, section: str, name: str) -> None:
    site.configure({section: {name: sample_values()[section, name]}})
    answer = check(site)
    assert answer.code == FAULT and f"[{section}] {name}: is still the sample's" in answer.err
    assert "1 fault, " in answer.err


@pytest.mark.parametrize("frequency", ["8h", "ONCE_A_SHIFT", "", 8, None])
def test_check_config_names_durations(site: Site, frequency: Any) -> None:
    """What the error offers besides the words is then taken."""
    def set_frequency(policy: dict[str, Any], value: Any) -> None:
        policy["rules"][1]["actions"]["appSignOn"]["promptForFactor"]["frequency"] = value

    change_policy(site, lambda policy: set_frequency(policy, frequency))
    answer = check(site)
    assert answer.code == FAULT and "/promptForFactor/frequency: must be one of" in answer.err
    assert "duration such as PT8H" in answer.err
    change_policy(site, lambda policy: set_frequency(policy, "PT8H"))
    assert check(site).code == YES


@pytest.mark.parametrize("typed, meant", [
    (("chek-config",), '"check-config"'), (("lgo",), '"log"'), (("log", "--qurey", "x"), "--query"),
    (("explain", "--usr", "a"), "--user"), (("xyzzy",), ""), (("log", "--xyzzy"), "")])
def test_did_you_mean(typed: tuple[str, ...], meant: str) -> None:
    answer = run(*typed)
    assert answer.code == FAULT
    assert (f"did you mean {meant}?" in answer.err) if meant else ("did you mean" not in answer.err)


@pytest.mark.parametrize("words", [("device", "add"), ("device", "sync"), ("policy", "import"),
                                   ("policy", "prove")])
def test_help_at_every_level(words: tuple[str, ...]) -> None:
    wanted = run("help", words[0]).out
    for asked in ((*words, "--help"), (*words, "-h"), ("help", *words)):
        answer = run(*asked)
        assert answer.code == YES and answer.out == wanted and answer.err == ""


def test_check_config_names_all_faults(site: Site) -> None:
    """One run names what is wrong: in the configuration, in each policy, in each secret."""
    site.configure({"okta": {"timeoot": "5s"}, "mfa": {"push_limit": "many"}})
    site.okta_token_path.chmod(0o644)
    site.state_key_path.write_text("short\n")
    site.graph_key.chmod(0o604)
    change_policy(site, lambda policy: policy["rules"][0].update(status="on", priority=-1))
    (site.policy_directory / "wifi.json").write_text("{")
    answer = run("check-config", "-c", site.config_path, "--json")
    found = as_json(answer)
    faults = [one for one in found if one["status"] == "fault" and one["check"] != "config"]
    wanted = ("[okta] timeoot: unknown key", "[mfa] push_limit: ", "/rules/0/status: ",
              "/rules/0/priority: ", "wifi.json: line 1", "[okta] api_token_file: ",
              "[store] state_key_file: ", "[intune] ")
    for text in wanted:
        assert len([one for one in faults if text in one["what"]]) == 1, (text, faults)
    assert answer.code == FAULT and found[-1]["faults"] == len(faults) == len(wanted), faults
    for one in faults:
        assert one["file"] and one["line"] > 0, one
    told = check(site)
    assert f"{len(faults)} faults, " in told.err and told.code == FAULT


def test_check_config_counts_what_it_does_not_name(site: Site) -> None:
    """50 faults are named, the others are counted."""
    text = site.config_path.read_text()
    site.config_path.write_text(text + "[nowhere]\n" + "".join(f"line {n}\n" for n in range(3)) +
                                "".join(f"[nowhere{n}]\n" for n in range(61)))
    answer = check(site)
    lines = answer.err.splitlines()
    assert answer.code == FAULT and len(lines) == 52
    assert "and 12 more; fix these" in lines[-2] and "62 faults, " in lines[-1]


def test_check_config_does_not_follow_up(site: Site) -> None:
    """Zones with a fault: the policies that name them are judged, but not for that."""
    change_policy(site, lambda policy: policy["rules"][0]["conditions"].update(
        network={"connection": "ZONE", "include": ["Office"]}))
    zones = site.directory / "zones.json"
    zones.write_text('{"zones": [{"name": "Office", "type": "IP", "status": "on",'
                     ' "gateways": []}]}')
    site.configure({"policy": {"zones_file": zones}})
    answer = check(site)
    assert answer.code == FAULT and len(answer.err.splitlines()) == 2, answer
    assert "/zones/0/status: " in answer.err and "1 fault, " in answer.err


def as_json(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.lines]


def test_check_config_as_json(site: Site) -> None:
    """Each line for people has its object, with its words."""
    site.configure({"policy": {"okta_unavailable": "allow"}})
    site.graph_key.chmod(0o644)
    text = check(site)
    found = as_json(run("check-config", "-c", site.config_path, "--json"))
    assert text.code == FAULT and found[-1]["check"] == "config"
    assert (found[-1]["status"], found[-1]["faults"]) == ("fault", 1)
    said = [one["what"] + ("; " + one["do"] if one["do"] else "") for one in found[:-1]]
    ours = [line[14:] for line in text.lines] + [line[len("devtrustctl: "):]
                                                 for line in text.err.splitlines()[:-1]]
    assert sorted(said) == sorted(ours), (said, ours)
    (fault,) = [one for one in found[:-1] if one["status"] == "fault"]
    assert fault["check"] == "config.intune" and fault["do"].startswith("run: ch")
    (warning,) = [one for one in found if "okta_unavailable" in one.get("what", "")]
    assert (warning["check"], warning["status"]) == ("config.okta_unavailable", "warning")


def test_check_config_as_json_names_the_line(site: Site) -> None:
    site.config_path.write_text(site.config_path.read_text() + "[okat]\n")
    answer = run("check-config", "-c", site.config_path, "--json")
    found = as_json(answer)
    assert answer.code == FAULT and found[-1]["check"] == "config" and found[-1]["faults"] == 1
    assert [one["status"] for one in found if one["check"] == "config.load"] == ["fault"]
    found.sort(key=lambda one: one["check"] != "config.load")
    assert found[0]["file"] == str(site.config_path)
    assert found[0]["line"] == len(site.config_path.read_text().splitlines())


def test_check_config_tells_several_faults_at_once(site: Site, index: dict[str, Any]) -> None:
    host_of(site, "host", "device-rsa")
    site.graph_key.chmod(0o644)
    site.audit_path.mkdir()
    answer = check(site)
    assert answer.code == FAULT
    assert "host_certificate_file" in answer.err and "graph.key" in answer.err
    assert "[audit] file" in answer.err and "3 faults" in answer.err


SMELLS: dict[str, tuple[Callable[[Site], Any], str]] = {
    "Okta fails open": (lambda s: s.configure({"policy": {"okta_unavailable": "allow"}}),
                        "okta_unavailable = allow: while Okta is unavailable, everybody"),
    "Okta fails open for trusted": (
        lambda s: s.configure({"policy": {"okta_unavailable": "allow_trusted"}}),
        "okta_unavailable = allow_trusted"),
    "nothing for trusted devices": (
        lambda s: s.set_policy({"name": "vpn", "application": "vpn", "rules": [
            rule("MFA", 1, frequency="EVERY_SIGN_ON",
                 people={"users": {"include": ["alice"]}}), catch_all()]}),
        "policy vpn: no rule asks for a TRUSTED device"),
    "only an inactive rule for them": (
        lambda s: s.set_policy({"name": "vpn", "application": "vpn", "rules": [
            {**rule("in", 1, "TRUSTED"), "status": "INACTIVE"},
            rule("MFA", 2, "NOT_TRUSTED", frequency="EVERY_SIGN_ON"), catch_all()]}),
        "policy vpn: no rule asks for a TRUSTED device"),
    "a mere claim": (
        lambda s: s.configure({"device_trust": {"trusted_when": "vpn-client+intune"}}),
        "intune+vpn-client proves nothing"),
    "no compliance": (lambda s: s.configure({"device_trust": {"trusted_when": "certificate"}}),
                      "certificate does not ask Intune"),
    "a way without its password": (
        lambda s: s.configure({"mfa": {"okta_way": "authn"},
                               "primary": {"okta_password": "other"}}),
        "policy vpn: [mfa] okta_way needs the Okta password"),
    "no number challenge": (lambda s: s.configure({"mfa": {"number_challenge": "never"}}),
                            "number_challenge = never"),
    "no factor left": (lambda s: s.configure({"mfa": {"factors": "push", "push_limit": "0"}}),
                       "nobody can pass MFA"),
    "Graph certificate expired": (
        lambda s: graph_pair(s, not_before=ago(30), not_after=ago(1)),
        "[intune] certificate_file: CN="),
    "Graph certificate about to expire": (
        lambda s: graph_pair(s, not_after=ca.now() + datetime.timedelta(days=9)),
        ": after that, Intune is not asked, and devices are UNKNOWN"),
    "host certificate expired": (lambda s: host_of(s, "expired", "expired"),
                                 "CERTIFICATE_EXPIRED"),
    "host certificate of a foreign CA": (lambda s: host_of(s, "foreign-ca", "foreign-ca"),
                                         "UNTRUSTED_ISSUER"),
}


@pytest.mark.parametrize("name", SMELLS)
def test_check_config_warns(site: Site, name: str) -> None:
    change, wanted = SMELLS[name]
    change(site)
    answer = check(site)
    assert answer.code == YES, answer
    warnings = [line for line in answer.lines if line.startswith("warning ")]
    assert any(wanted in line for line in warnings), answer
    assert answer.lines[-1].endswith(
        f"in order, {len(warnings)} warning{'' if len(warnings) == 1 else 's'}")


# --- explain ------------------------------------------------------------------------------------

def explain(site: Site, application: str = "vpn", *more: Any, user: str = "alice") -> Answer:
    answer = run("explain", "--user", user, "--application", application, *more,
                 "-c", site.config_path)
    assert not site.audit_path.exists(), "explain writes no audit event"
    return answer


def explained(site: Site, application: str = "vpn", *more: Any,
              user: str = "alice") -> tuple[int, dict[str, Any]]:
    answer = explain(site, application, "--json", *more, user=user)
    assert answer.err == "" and len(answer.lines) == 1, answer
    return answer.code, json.loads(answer.out)


def shown(index: dict[str, Any], name: str) -> tuple[str, ...]:
    return ("--certificate", certificate(index, name), "--assume-proof")


def test_explain_a_trusted_device(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-rsa"), operatingSystem="Windows",
                       deviceName="WS-1")
    answer = explain(site, "vpn", *shown(index, "device-rsa"), "--ip", "192.0.2.1")
    assert answer.code == YES and answer.err == ""
    assert answer.line("verdict") == "TRUSTED, by certificate+intune"
    assert answer.line("decision") == f'ALLOW by rule "{TRUSTED_RULE}"'
    assert "this is not proved here" in answer.line("ASSUMED")
    assert answer.line("from") == "192.0.2.1"
    assert answer.line("asked") == "Graph calls 1, Okta calls 0, OCSP calls 0"
    rules = [line[4:].strip() for line in answer.lines if line.startswith("rule ")]
    assert rules == [f'* "{TRUSTED_RULE}": matches',
                     f'"{NOT_TRUSTED_RULE}": does not match: device: '
                     'requires a NOT_TRUSTED device; this one is TRUSTED '
                     '(by certificate+intune, just now)',
                     f'"{CATCH_ALL_RULE}": would match, but is not reached']
    # The second time the cache answers.
    code, found = explained(site, "vpn", *shown(index, "device-rsa"))
    assert code == YES and found["graphCalls"] == 0
    assert [(e["source"], e["proved"], e["finding"]) for e in found["evidence"]] == [
        ("certificate", True, "FOR"), ("intune", False, "FOR")]
    assert found["verdict"]["deviceId"] == device_id(index, "device-rsa")
    assert found["verdict"]["deviceName"] == "WS-1"
    assert world.count("graph.device") == 1
    assert world.count("okta.total") == 0


def test_explain_an_application_with_its_own_rule(site: Site, world: Sim,
                                                  index: dict[str, Any]) -> None:
    site.set_policy(guide_policy("wifi"))
    site.configure({"application wifi": {"trusted_when": "certificate", "platforms": "all"}})
    for application, verdict, calls in (("wifi", "TRUSTED, by certificate", 0),
                                        ("vpn", "NOT_TRUSTED, NOT_ENROLLED", 1)):
        answer = explain(site, application, *shown(index, "device-rsa"))
        assert answer.line("verdict") == verdict, answer
        assert world.count("graph.device") == calls
    told = run("check-config", "--config", site.config_path)
    assert told.code == YES and "trusted when  wifi: certificate" in told.lines, told
    assert any("wifi: trusted_when: certificate does not ask Intune" in x for x in told.lines)
    # Stricter than the rest is possible as well; and no section is for nobody.
    site.configure({"application wifi": {"trusted_when": "vpn-client", "platforms": None}})
    assert explain(site, "wifi", *shown(index, "device-rsa")).line("verdict").startswith(
        "NOT_TRUSTED")
    site.configure({"application wfi": {"trusted_when": "certificate"}})
    wrong = explain(site, "wifi")
    assert wrong.code == FAULT and "[application wfi]: no policy" in wrong.err, wrong


def test_explain_with_a_client_secret(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-rsa"))
    secret = site.directory / "client.secret"
    secret.write_bytes(Path(world.client_secret_file).read_bytes())
    secret.chmod(0o600)
    site.configure({"intune": {"certificate_file": None, "key_file": None,
                               "client_secret_file": secret}})
    answer = run("check-config", "--config", site.config_path)
    assert answer.code == YES and "by a client secret" in answer.line("Graph"), answer
    answer = explain(site, "vpn", *shown(index, "device-rsa"))
    assert answer.line("verdict") == "TRUSTED, by certificate+intune"
    # A wrong one: nothing is known of the device, and nobody is told the secret.
    secret.write_text("wrong-secret-of-nobody\n", encoding="ascii")
    for path in site.store_path.parent.iterdir():
        path.unlink()
    answer = explain(site, "vpn", *shown(index, "device-rsa"))
    assert answer.line("verdict").startswith("UNKNOWN"), answer
    assert "AADSTS7000215" in answer.out and "wrong-secret" not in answer.out + answer.err


def test_explain_without_proof(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-rsa"))
    answer = explain(site, "vpn", "--certificate", certificate(index, "device-rsa"))
    assert answer.line("verdict") == "NOT_TRUSTED, NO_PROOF_OF_POSSESSION"
    assert "--assume-proof" in answer.line("note")
    assert not any(line.startswith("ASSUMED") for line in answer.lines)
    assert world.count("graph.device") == 0, "a certificate that proves nothing costs no call"


def test_explain_an_unknown_device(site: Site, world: Sim) -> None:
    world.add_user("alice@example.com", factors=("push",), push="approve")
    answer = explain(site, "vpn")
    assert answer.code == YES
    assert answer.line("verdict") == "NOT_TRUSTED, NO_CERTIFICATE"
    assert answer.line("decision") == (f'ALLOW_AFTER_MFA by rule "{NOT_TRUSTED_RULE}", '
                                       "MFA EVERY_SIGN_ON by push or token:software:totp")
    assert "Enrol it" in answer.line("message")
    assert world.pushes() == [] and world.count("okta.total") == 0


def test_explain_a_device_that_is_not_compliant(site: Site, world: Sim,
                                                index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-p256"), compliance="noncompliant")
    code, found = explained(site, "vpn", *shown(index, "device-p256"))
    assert code == YES
    assert found["verdict"]["trust"] == "NOT_TRUSTED"
    assert found["verdict"]["reason"] == "NOT_COMPLIANT"
    assert found["evidence"][1]["finding"] == "AGAINST"
    assert found["decision"]["access"] == "ALLOW_AFTER_MFA"
    assert "Check access" in found["message"]


def test_explain_a_device_that_intune_does_not_know(site: Site, index: dict[str, Any]) -> None:
    _, found = explained(site, "vpn", *shown(index, "device-p384"))
    assert found["verdict"] == {**found["verdict"], "trust": "NOT_TRUSTED",
                                "reason": "NOT_ENROLLED"}


@pytest.mark.parametrize("taken_as, code, access, cause", [
    ("deny", NO, "DENY", "DEVICE_UNKNOWN"),
    ("not_trusted", YES, "ALLOW_AFTER_MFA", "RULE"),
])
def test_explain_with_graph_down(site: Site, world: Sim, index: dict[str, Any], taken_as: str,
                                 code: int, access: str, cause: str) -> None:
    site.configure({"policy": {"unknown_device_as": taken_as}})
    world.listener("graph", "down")
    try:
        got, found = explained(site, "vpn", *shown(index, "device-rsa"))
    finally:
        world.listener("graph", "up")
    assert got == code
    assert found["verdict"]["trust"] == "UNKNOWN"
    assert found["verdict"]["reason"] == "LOOKUP_UNAVAILABLE"
    assert (found["decision"]["access"], found["decision"]["cause"]) == (access, cause)
    assert found["detail"].startswith("Intune:")


def test_explain_does_not_wait_for_ever(site: Site, world: Sim, index: dict[str, Any]) -> None:
    site.configure({"intune": {"timeout": "300ms"}})
    world.listener("graph", "silent")
    try:
        _, found = explained(site, "vpn", *shown(index, "device-rsa"))
    finally:
        world.listener("graph", "up")
    assert found["verdict"]["reason"] == "LOOKUP_UNAVAILABLE"


def test_explain_with_an_old_answer(site: Site, world: Sim, index: dict[str, Any]) -> None:
    """What Intune said last stands in while it cannot be asked, and the explanation says so."""
    site.configure({"device_trust": {"cache_ttl": "0", "negative_ttl": "0"}})
    world.enrol_device(device_id(index, "device-rsa"))
    assert explained(site, "vpn", *shown(index, "device-rsa"))[1]["graphCalls"] == 1
    world.listener("graph", "down")
    try:
        _, found = explained(site, "vpn", *shown(index, "device-rsa"))
    finally:
        world.listener("graph", "up")
    assert found["verdict"]["trust"] == "TRUSTED"
    assert found["evidence"][1]["reason"] == "STALE"


def test_explain_with_a_broken_store(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-rsa"))
    site.store_path.write_bytes(b"not a database" * 400)
    site.store_path.chmod(0o600)
    code, found = explained(site, "vpn", *shown(index, "device-rsa"))
    assert code == YES and found["verdict"]["trust"] == "TRUSTED"
    assert found["detail"].startswith("store:")


@pytest.mark.parametrize("name", ["expired", "foreign-ca", "wrong-tenant", "wrong-eku",
                                  "not-yet-valid", "self-signed"])
def test_explain_a_bad_certificate(site: Site, world: Sim, index: dict[str, Any],
                                   name: str) -> None:
    code, found = explained(site, "vpn", *shown(index, name))
    assert code == YES
    assert found["verdict"]["trust"] == "NOT_TRUSTED"
    assert found["evidence"][0]["reason"] == index["devices"][name]["reason"]
    assert world.count("graph.device") == 0


def test_explain_an_ssh_key(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-ed25519"))
    key = index["devices"]["device-ed25519"]["files"]["ssh_public_key"]
    before = explain(site, "sshd", "--ssh-key", key)
    assert before.line("verdict") == "NOT_TRUSTED, NO_CERTIFICATE"
    assert enrol(site, certificate(index, "device-ed25519")).code == YES
    answer = explain(site, "sshd", "--ssh-key", key)
    assert answer.line("verdict") == "TRUSTED, by ssh-key+intune"
    assert "sshd has verified" in answer.line("ASSUMED")
    assert not any(line.startswith("note") for line in answer.lines)
    elsewhere = explain(site, "vpn", "--ssh-key", key)
    assert "sshd_services" in elsewhere.line("note")
    other = index["devices"]["device-rsa"]["files"]["ssh_public_key"]
    assert explain(site, "sshd", "--ssh-key", other).line("verdict").startswith("NOT_TRUSTED")


def test_explain_a_device_by_its_id(site: Site, world: Sim, index: dict[str, Any]) -> None:
    wanted = device_id(index, "device-p256")
    world.enrol_device(wanted)
    claimed = explain(site, "vpn", "--device", wanted)
    assert claimed.line("verdict").startswith("NOT_TRUSTED")
    assert "nothing proves it" in claimed.line("note")
    missing = explain(site, "vpn", "--device", wanted, "--assume-proof")
    assert missing.code == FAULT and "the registry has no certificate" in missing.err
    assert enrol(site, certificate(index, "device-p256")).code == YES
    answer = explain(site, "vpn", "--device", wanted, "--assume-proof")
    assert answer.line("verdict") == "TRUSTED, by certificate+intune"
    site.configure({"device_trust": {"trusted_when": "vpn-client+intune"}})
    assert explain(site, "vpn", "--device", wanted).line("verdict").startswith("TRUSTED")


def test_explain_this_host(site: Site, world: Sim, index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "host"))
    missing = explain(site, "vpn", "--this-host")
    assert missing.code == FAULT and "host_certificate_file" in missing.err
    host_of(site, "host", "host")
    site.set_policy(guide_policy("login"))
    answer = explain(site, "login", "--this-host")
    assert answer.line("verdict") == "TRUSTED, by certificate+intune"
    assert not any(line.startswith(("ASSUMED", "note")) for line in answer.lines)
    assert "local_services" in explain(site, "vpn", "--this-host").line("note")


def zone_site(site: Site) -> None:
    zones = site.directory / "zones.json"
    zones.write_text(json.dumps({"zones": [{
        "name": "office", "type": "IP", "status": "ACTIVE",
        "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]}]}))
    site.configure({"policy": {"zones_file": zones}})
    site.set_policy({"name": "vpn", "application": "vpn", "rules": [
        rule("office", 1, network={"connection": "ZONE", "include": ["office"]}),
        rule("staff", 2, people={"groups": {"include": ["staff"]}}, frequency="ONCE_A_DAY",
             factors=["push"]),
        rule("windows", 3, platform={"include": [{"type": "DESKTOP", "os": {"type": "WINDOWS"}}]}),
        {**rule("off", 4), "status": "INACTIVE"},
        catch_all()]})


def failed(found: dict[str, Any]) -> list[Optional[str]]:
    return [r["failed"] for r in found["rules"]]


NO_ORG = {"orgRule": None, "orgAccess": None, "orgMfa": False}


def test_explain_names_the_condition_that_failed(site: Site) -> None:
    zone_site(site)
    code, found = explained(site, "vpn", "--ip", "198.51.100.1", "--groups", "guests,others",
                            "--platform", "macos")
    assert code == NO
    assert failed(found) == ["network", "people", "platform", "inactive", None]
    assert found["decision"] == {"access": "DENY", "cause": "RULE", "rule": CATCH_ALL_RULE,
                                 "frequency": None, "factors": [], **NO_ORG}
    code, found = explained(site, "vpn", "--ip", "192.0.2.9", "--groups", "guests")
    assert code == YES and found["decision"]["rule"] == "office"
    code, found = explained(site, "vpn", "--groups", "Staff")
    assert code == YES and found["decision"] == {
        "access": "ALLOW_AFTER_MFA", "cause": "RULE", "rule": "staff", "frequency": "ONCE_A_DAY",
        "factors": ["push"], **NO_ORG}
    assert found["groups"] == ["Staff"]
    _, found = explained(site, "vpn", "--groups", "guests", "--platform", "WINDOWS")
    assert found["decision"]["rule"] == "windows"


def test_explain_groups_that_nobody_knows(site: Site) -> None:
    zone_site(site)
    answer = explain(site, "vpn", user="nobody-of-this-name")
    assert answer.code == NO
    assert "which are not known" in answer.line("decision")
    assert "--groups" in answer.line("groups")
    known = explain(site, "vpn", "--platform", "macos", user="root")
    assert known.line("groups").startswith("(by this host)")
    assert known.line("decision").startswith("DENY by rule")


def test_explain_groups_from_okta(site: Site, world: Sim) -> None:
    zone_site(site)
    site.configure({"policy": {"groups_from": "okta"}})
    world.add_user("alice@example.com", groups=("Everyone", "staff"), factors=("push",))
    code, found = explained(site)
    assert code == YES and found["decision"]["rule"] == "staff"
    assert found["groups"] == ["staff"] and found["oktaCalls"] == 2
    assert world.pushes() == []
    assert explain(site, "vpn", "--groups", "staff").code == FAULT


def test_forget_groups(site: Site, world: Sim) -> None:
    """What Okta told is kept until it is forgotten, of whom and for what was said."""
    def okta_calls() -> int:
        code, found = explained(site)
        assert code == YES
        return int(found["oktaCalls"])

    def forget(*options: str) -> Answer:
        return run("forget", "-c", site.config_path, "--groups", *options)

    zone_site(site)
    site.configure({"policy": {"groups_from": "okta"}})
    world.add_user("alice@example.com", groups=("Everyone", "staff"), factors=("push",))
    assert okta_calls() == 2 and okta_calls() == 0
    for others in (("--user", "bob"), ("--user", "alice", "--application", "wifi")):
        assert forget(*others).code == NO
    assert okta_calls() == 0
    assert forget("--user", "alice", "--application", "vpn").code == YES
    assert okta_calls() == 1  # who it is was kept
    assert forget("--user", "ALICE@example.com").code == YES
    assert okta_calls() == 2
    assert forget("--all").code == YES and okta_calls() == 2
    assert forget("--all").code == YES and forget("--all").code == NO
    assert forget("--device", "x").code == FAULT and forget().code == FAULT
    # MFA that is remembered is another matter.
    assert run("forget", "-c", site.config_path, "--user", "alice").code == NO


def test_explain_says_no_when_no_factor_is_left(site: Site) -> None:
    site.configure({"mfa": {"factors": "token:software:totp"}})
    site.set_policy(guide_policy("vpn", factors=("push",)))
    answer = explain(site)
    assert answer.code == NO
    assert "none in common" in answer.line("decision")


def test_explain_without_a_policy(site: Site) -> None:
    answer = explain(site, "su")
    assert answer.code == FAULT
    assert 'no policy for "su"' in answer.err and "sshd, vpn, wifi" in answer.err


@pytest.mark.parametrize("arguments, wanted", [
    (("--certificate", "/nonexistent.pem"), "/nonexistent.pem"),
    (("--certificate", "/dev/null"), "not a regular file"),
    (("--certificate", "/etc/passwd"), "contains no certificate"),
    (("--ssh-key", "/etc/passwd"), "not a public key"),
    (("--ssh-key", "/nonexistent.pub"), "/nonexistent.pub"),
    (("--device", "laptop"), "GUID"),
    (("--platform", "amiga"), "--platform"),
    (("--groups", "a,,b"), "--groups"),
    (("--groups", "g" * 300), "--groups"),
])
def test_explain_refuses(site: Site, arguments: tuple[str, ...], wanted: str) -> None:
    answer = explain(site, "vpn", *arguments)
    assert answer.code == FAULT and answer.out == ""
    assert wanted in answer.err


def test_explain_shows_hostile_names_harmlessly(site: Site, world: Sim,
                                                index: dict[str, Any]) -> None:
    world.enrol_device(device_id(index, "device-rsa"), deviceName=HOSTILE)
    answer = explain(site, "vpn", *shown(index, "device-rsa"), user="al\x1b[31mice\u202e")
    assert answer.code != YES and "USER_NAME_INVALID" in answer.err  # no identity can be made of it
    assert "\x1b" not in answer.err and "\u202e" not in answer.err
    assert explain(site, "vpn", *shown(index, "device-rsa")).code == YES
    explained(site, "vpn", *shown(index, "device-rsa"))


# --- device -------------------------------------------------------------------------------------

def enrol(site: Site, *paths: Any) -> Answer:
    return run("device", "add", *paths, "-c", site.config_path)


def listed(site: Site) -> dict[str, dict[str, Any]]:
    answer = run("device", "list", "--json", "-c", site.config_path)
    assert answer.code == YES and answer.err == "", answer
    rows = [json.loads(line) for line in answer.lines]
    return {row["fingerprint"]: row for row in rows}


def ssh_fingerprint(public_key: str) -> str:
    text = subprocess.run(["ssh-keygen", "-l", "-f", public_key], capture_output=True, check=True)
    return text.stdout.decode().split()[1]


def test_device_add_judges_every_certificate(site: Site, index: dict[str, Any]) -> None:
    good = 0
    for name, device in index["devices"].items():
        answer = enrol(site, device["files"]["certificate"])
        if device["reason"] == "TRUSTED":
            good += 1
            assert answer.code == YES, (name, answer)
            done, identifier, fingerprint, until = answer.lines[0].split()[:4]
            assert (done, identifier, until) == ("added", device["device_id"], "until")
            assert fingerprint == ssh_fingerprint(device["files"]["ssh_public_key"])
            assert answer.lines[1] == "1 added, 0 unchanged, 0 refused"
        else:
            assert answer.code == NO, (name, answer)
            assert answer.lines[0].startswith("refused ")
            assert f": {device['reason']}: " in answer.lines[0], (name, answer)
            assert answer.lines[1] == "0 added, 0 unchanged, 1 refused"
    assert good >= 10
    rows = listed(site)
    assert len(rows) == good
    assert {row["state"] for row in rows.values()} == {"VALID"}
    for name in ("device-rsa", "device-p384", "device-ed25519"):
        files = index["devices"][name]["files"]
        row = rows[ssh_fingerprint(files["ssh_public_key"])]
        assert row["deviceId"] == device_id(index, name)
        end = datetime.datetime.fromtimestamp(index["devices"][name]["not_after"],
                                              datetime.timezone.utc)
        assert row["notAfter"] == end.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_device_add_takes_der_bundles_and_folders(site: Site, index: dict[str, Any],
                                                  tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    (folder / "deeper.pem").mkdir(parents=True)
    shutil.copy(index["devices"]["device-rsa"]["files"]["der"], folder / "a.cer")
    bundle = "".join(Path(certificate(index, n)).read_text()
                     for n in ("device-p256", "expired", "device-p384"))
    (folder / "b.PEM").write_text("# the fleet\n" + bundle)
    shutil.copy(certificate(index, "device-p256"), folder / "c.crt")
    (folder / "d.pem").write_text("nothing")
    (folder / "readme.txt").write_text("nothing")
    (folder / ".hidden.pem").write_text("nothing")
    answer = enrol(site, folder)
    assert answer.code == NO
    assert answer.lines[-1] == "3 added, 1 unchanged, 2 refused"
    assert "certificate 2: CERTIFICATE_EXPIRED" in answer.out
    assert "d.pem: contains no certificate" in answer.out
    assert "2 entries skipped" in answer.err
    assert len(listed(site)) == 3
    again = enrol(site, folder / "a.cer", folder / "c.crt")
    assert again.code == YES and again.lines[-1] == "0 added, 2 unchanged, 0 refused"


def test_device_add_goes_on_after_a_fault(site: Site, index: dict[str, Any],
                                          tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.pem"
    os.mkfifo(fifo)
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = enrol(site, "/nonexistent.pem", fifo, empty, certificate(index, "device-rsa"))
    assert answer.code == FAULT
    assert answer.lines[-1] == "1 added, 0 unchanged, 0 refused"
    assert "/nonexistent.pem" in answer.err and "fifo.pem" in answer.err
    assert "contains no .pem" in answer.err


def test_device_add_renews_a_certificate(site: Site, own_pki: pki_maker.Pki,
                                         tmp_path: Path) -> None:
    trust_own(site, own_pki)
    key = ca.make_key("p256")
    identifier = str(uuid.uuid4())

    def issue(name: str, device: str, days: int) -> Path:
        identity = own_pki.authorities["company"].issue(
            ca.name(device), key, not_after=ca.now() + days * ca.DAY,
            extensions=[(pki_maker.x509.ExtendedKeyUsage([ca.CLIENT_AUTH]), False)])
        return ca.write_file(tmp_path / name, identity.certificate_pem())

    short, long = issue("short.pem", identifier, 10), issue("long.pem", identifier, 100)
    other = issue("other.pem", str(uuid.uuid4()), 200)
    assert "added" in enrol(site, short).lines[0]
    assert enrol(site, long).lines[0].endswith("(renewed)")
    kept = enrol(site, short)
    assert kept.code == YES and "valid longer" in kept.lines[0]
    refused = enrol(site, other)
    assert refused.code == NO and "KEY_OF_ANOTHER_DEVICE" in refused.lines[0]
    assert identifier in refused.lines[0]
    rows = list(listed(site).values())
    assert [row["deviceId"] for row in rows] == [identifier]


def test_device_list_judges_as_of_now(site: Site, index: dict[str, Any],
                                      own_pki: pki_maker.Pki) -> None:
    enrol(site, certificate(index, "host"), certificate(index, "device-rsa"))
    trust_own(site, own_pki)
    text = run("device", "list", "-c", site.config_path)
    assert text.code == YES and len(text.lines) == 2
    states = {row["deviceId"]: row["state"] for row in listed(site).values()}
    assert states == {device_id(index, "host"): "UNTRUSTED_ISSUER",
                      device_id(index, "device-rsa"): "VALID"}
    for line in text.lines:
        assert states[line.split()[0]] == line.split()[3]


def test_device_list_of_nothing(site: Site) -> None:
    answer = run("device", "list", "-c", site.config_path)
    assert answer == Answer(YES, "", "")


def test_device_remove(site: Site, index: dict[str, Any]) -> None:
    names = ("device-rsa", "device-p256", "device-p384", "host")
    assert enrol(site, *(certificate(index, n) for n in names)).code == YES

    def remove(*what: Any) -> Answer:
        return run("device", "remove", *what, "-c", site.config_path)

    files = index["devices"]["device-p256"]["files"]
    fingerprint = ssh_fingerprint(files["ssh_public_key"])
    assert remove(device_id(index, "device-rsa").upper()).code == YES
    assert remove(fingerprint).out == f"removed    -  {fingerprint}\n1 removed\n"
    assert remove(certificate(index, "device-p384")).code == YES
    assert [r["deviceId"] for r in listed(site).values()] == [device_id(index, "host")]
    for gone in (device_id(index, "device-rsa"), fingerprint, certificate(index, "device-p384")):
        answer = remove(gone)
        assert answer.code == NO and answer.lines == [f"not enrolled: {gone}", "0 removed"]
    for nothing in ("laptop", "SHA256:short", "/nonexistent.pem", HOSTILE):
        answer = remove(nothing)
        assert answer.code == FAULT and "not a device id, a fingerprint" in answer.err
    mixed = remove(str(uuid.uuid4()), device_id(index, "host"))
    assert mixed.code == NO and mixed.lines[-1] == "1 removed"
    assert listed(site) == {}


def test_device_commands_survive_a_broken_record(site: Site, index: dict[str, Any]) -> None:
    import sqlite3
    assert enrol(site, certificate(index, "device-rsa"), certificate(index, "host")).code == YES
    fingerprint = ssh_fingerprint(index["devices"]["host"]["files"]["ssh_public_key"])
    connection = sqlite3.connect(site.store_path)
    rows = dict(connection.execute("SELECT key, value FROM rows").fetchall())
    assert len(rows) == 2
    keys = sorted(rows)
    # One's certificate under the other's key, then what is no record at all.
    connection.execute("UPDATE rows SET value = ? WHERE key = ?", (rows[keys[1]], keys[0]))
    connection.commit()
    states = sorted(row["state"] for row in listed(site).values())
    assert states == ["VALID", "WRONG_KEY"]
    connection.execute("UPDATE rows SET value = ?", (b"\x1b[31mnot a record",))
    connection.commit()
    connection.close()
    found = listed(site)
    assert {row["state"] for row in found.values()} == {"UNREADABLE"}
    assert "UNREADABLE" in run("device", "list", "-c", site.config_path).out
    removed = run("device", "remove", fingerprint, "-c", site.config_path)
    assert removed.code == YES
    assert enrol(site, certificate(index, "device-rsa")).code == YES


def test_device_shows_hostile_names_harmlessly(site: Site, own_pki: pki_maker.Pki) -> None:
    trust_own(site, own_pki)
    made = own_pki.device("hostile", authority="company", common_name=HOSTILE, intune_id=None,
                          tenant=None)
    answer = enrol(site, made["files"]["certificate"])
    assert answer.code == YES and len(answer.lines) == 2, answer
    assert made["device_id"] in answer.lines[0]
    text = run("device", "list", "-c", site.config_path)
    assert len(text.lines) == 1
    listed(site)
    bad = own_pki.device("hostile-foreign", authority="foreign", common_name=HOSTILE)
    refused = enrol(site, bad["files"]["certificate"])
    assert refused.code == NO and len(refused.lines) == 2


def test_every_change_as_json(site: Site, index: dict[str, Any]) -> None:
    """Whatever a command did is said in objects alone, each with what was done, to what."""
    def ctl(*words: str, code: int = YES) -> list[dict[str, Any]]:
        answer = run(*words, "--json", "-c", site.config_path)
        assert answer.code == code and answer.err == "", answer
        return as_json(answer)

    path, device = certificate(index, "device-rsa"), device_id(index, "device-rsa")
    added, trusted, summary = ctl("device", "add", path, "--trusted", "--name", "laptop")
    assert (added["done"], added["deviceId"]) == ("added", device)
    assert added["fingerprint"].startswith("SHA256:") and added["notAfter"].endswith("Z")
    assert trusted == {"done": "trusted", "deviceId": device, "name": "laptop"}
    assert summary == {"added": 1, "unchanged": 0, "refused": 0}
    again = ctl("device", "add", path)
    assert again[0]["done"] == "unchanged" and again[1]["unchanged"] == 1
    (refused, count) = ctl("device", "add", certificate(index, "expired"), code=NO)
    assert refused["done"] == "refused" and refused["reason"] and refused["why"]
    assert count["refused"] == 1
    other = str(uuid.uuid4())
    assert ctl("device", "add", "--id", other, "--trusted")[0]["deviceId"] == other
    name = "mac:00:50:56:ab:cd:ef"
    assert ctl("device", "alias", "add", name, device)[0]["done"] == "added"
    assert ctl("device", "alias", "list")[0]["deviceId"] == device
    assert ctl("device", "alias", "remove", name)[0]["done"] == "removed"
    assert ctl("device", "alias", "remove", name, code=NO)[0]["done"] == "not found"
    assert ctl("device", "forget", device, code=NO)[0] == {"deviceId": device,
                                                           "done": "not found"}
    assert ctl("device", "show", device, code=NO)[0]["done"] == "not found"
    assert [one["done"] for one in ctl("device", "remove", device)] == ["removed",
                                                                        "no longer trusted"]
    assert ctl("device", "remove", device, code=NO) == [{"done": "not found", "what": device}]
    assert ctl("forget", "--all", code=NO) == [{"what": "mfa", "forgotten": 0}]
    assert ctl("forget", "--all", "--limits", code=NO) == [{"what": "limits", "forgotten": 0}]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "help"])
def test_every_command_takes_json(name: str) -> None:
    assert "  --json " in run("help", name).out


def test_device_add_needs_a_site_in_order(site: Site, index: dict[str, Any]) -> None:
    site.okta_token_path.chmod(0o644)
    answer = enrol(site, certificate(index, "device-rsa"))
    assert answer.code == FAULT and answer.out == "" and "chmod 6" in answer.err


def ssh_key_file(tmp_path: Path, name: str = "laptop") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name],
                   check=True, stdin=subprocess.DEVNULL)
    return tmp_path / f"{name}.pub"


def add(site: Site, *arguments: Any) -> Answer:
    return run("device", "add", *arguments, "-c", site.config_path)


def test_device_add_takes_a_key_without_a_certificate(site: Site, tmp_path: Path) -> None:
    key, identifier = ssh_key_file(tmp_path), str(uuid.uuid4())
    answer = add(site, "--ssh-key", key, "--id", identifier.upper(), "--name", "bench 1")
    fingerprint = ssh_fingerprint(str(key))
    assert answer == Answer(YES, f"added      {identifier}  {fingerprint}  bench 1\n", "")
    row = listed(site)[fingerprint]
    assert (row["deviceId"], row["state"], row["name"]) == (identifier, "VALID", "bench 1")
    assert "notAfter" not in row
    stolen = add(site, "--ssh-key", key, "--id", uuid.uuid4())
    assert stolen.code == NO and "KEY_OF_ANOTHER_DEVICE" in stolen.out
    assert listed(site)[fingerprint]["deviceId"] == identifier
    removed = run("device", "remove", identifier, "-c", site.config_path)
    assert removed.code == YES and listed(site) == {}


def test_device_add_keeps_the_list_of_trusted_devices(site: Site, index: dict[str, Any],
                                                      tmp_path: Path) -> None:
    key, identifier = ssh_key_file(tmp_path), str(uuid.uuid4())
    certain = device_id(index, "device-rsa")
    assert add(site, "--trusted", "--id", identifier, "--ssh-key", key).code == YES
    answer = add(site, "--trusted", "--name", "Zoe's", certificate(index, "device-rsa"))
    assert answer.code == YES and answer.lines[1] == f"trusted    {certain}  Zoe's"
    assert add(site, "--trusted", certificate(index, "expired")).code == NO
    out = run("device", "list", "--json", "-c", site.config_path).lines
    trusted = [row for row in map(json.loads, out) if row["state"] == "TRUSTED"]
    assert {row["deviceId"] for row in trusted} == {identifier, certain}
    removed = run("device", "remove", certain, "-c", site.config_path)
    assert removed.code == YES and removed.lines[-1] == "2 removed"
    assert add(site, "--trusted", "--id", certain).code == YES  # of a device without an SSH key
    assert run("device", "remove", certain, "-c", site.config_path).lines[-1] == "1 removed"
    again = run("device", "remove", certain, "-c", site.config_path)
    assert again.code == NO and "not enrolled" in again.out


def test_device_add_refuses_what_does_not_go_together(site: Site, index: dict[str, Any],
                                                      tmp_path: Path) -> None:
    key, identifier = ssh_key_file(tmp_path), str(uuid.uuid4())
    for wrong in (["--ssh-key", key], ["--id", identifier], ["--trusted"], [],
                  ["--id", "laptop", "--trusted"],
                  ["--id", identifier, "--trusted", certificate(index, "device-rsa")]):
        answer = add(site, *wrong)
        assert answer.code == FAULT and answer.out == "", (wrong, answer)
    for verb in ("list", "remove"):
        assert run("device", verb, "--trusted", "-c", site.config_path).code == FAULT
    for bad in (key.with_suffix(""), certificate(index, "device-rsa")):
        answer = add(site, "--id", identifier, "--trusted", "--ssh-key", bad)
        assert answer.code == NO and "KEY_INVALID" in answer.out
    assert add(site, "--id", identifier, "--ssh-key", "/nonexistent").code == FAULT
    assert run("device", "list", "-c", site.config_path).out == ""


# --- log ----------------------------------------------------------------------------------------

def event(message: str, user: str = "alice", application: str = "vpn", result: str = "FAILURE",
          reason: str = "NO_CERTIFICATE", minutes_ago: float = 1.0, **more: Any) -> str:
    moment = (datetime.datetime.now(datetime.timezone.utc)
              - datetime.timedelta(minutes=minutes_ago))
    return json.dumps({
        "uuid": None, "published": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "eventType": "user.authentication.authenticate", "version": "0", "severity": "WARN",
        "displayMessage": message, "outcome": {"result": result, "reason": reason},
        "actor": {"id": None, "type": "User", "alternateId": user + "@example.com",
                  "displayName": user},
        "client": {"device": more.pop("device", "Computer"), "ipAddress": "192.0.2.1"},
        "target": [{"id": None, "type": "AppInstance", "alternateId": application,
                    "displayName": application}],
        "debugContext": {"debugData": {"rule": more.pop("rule", TRUSTED_RULE), **more}}}) + "\n"


DEVICE = "Authentication of device via certificate"
MFA = "Authentication of user via MFA"


@pytest.fixture
def logged(site: Site) -> Site:
    """Events in the live file and in two that were rotated away."""
    base = site.audit_path
    base.with_name("audit.log.10").write_text(event(DEVICE, "zoe", minutes_ago=3000))
    base.with_name("audit.log.2.gz").write_bytes(gzip.compress(
        event(MFA, "bob", "wifi", "SUCCESS", "MFA_SUCCESS", minutes_ago=300).encode()))
    base.with_name("audit.log.3.xz").write_bytes(b"\xfd7zXZ")
    base.with_name("audit.log.old").write_text("not one of them\n")
    base.write_text(event(DEVICE, minutes_ago=2)
                    + event(MFA, result="SUCCESS", reason="MFA_SUCCESS", device="Mobile"))
    return site


def log(site: Site, *arguments: Any) -> Answer:
    return run("log", *arguments, "-c", site.config_path)


def test_log_reads_all_files_in_their_order(logged: Site) -> None:
    answer = log(logged)
    assert answer.code == YES
    assert [line.split("user=")[1].split()[0] for line in answer.lines] == [
        '"zoe@example.com"', '"bob@example.com"', '"alice@example.com"', '"alice@example.com"']
    assert [line[:24] for line in answer.lines] == sorted(line[:24] for line in answer.lines)
    assert "1 files" in answer.err and "not compressed by gzip" in answer.err


@pytest.mark.parametrize("content, says", [
    (b"", "compressed"), (b"\x1f\x8b", "too early"), (b"plain\n", "not compressed"),
    (gzip.compress(b"x" * 70000)[:-5], "too early"),
    (gzip.compress(b"x\n")[:10] + b"\xff" * 20, "damaged")],
    ids=["empty", "head only", "no gzip", "cut off", "nonsense"])
def test_log_names_a_broken_compressed_file(logged: Site, content: bytes, says: str) -> None:
    """The events of the other files are shown all the same, and the end is a fault."""
    logged.audit_path.with_name("audit.log.4.gz").write_bytes(content)
    answer = log(logged)
    assert len(answer.lines) == 4
    if content:
        assert answer.code == FAULT and "audit.log.4.gz" in answer.err and says in answer.err
    else:
        assert answer.code == YES  # an empty file has no events


def test_log_reads_what_a_compressed_bomb_unpacks_to_in_bounded_memory(logged: Site) -> None:
    with gzip.open(logged.audit_path.with_name("audit.log.4.gz"), "wb", 9) as bomb:
        for _ in range(64):
            bomb.write(b"A" * (1 << 20))
    answer = log(logged)
    assert answer.code == YES and len(answer.lines) == 4
    assert "audit.log.4.gz:1: longer than any audit event" in answer.err


def test_log_searches_as_the_guide_does(logged: Site) -> None:
    answer = log(logged, "--query", "authentication of DEVICE", "--since", "1h")
    assert answer.code == YES and len(answer.lines) == 1
    line = answer.lines[0]
    assert DEVICE in line and "Client > Device = Computer" in line
    assert "FAILURE/NO_CERTIFICATE" in line and f'rule="{TRUSTED_RULE}"' in line
    assert 'application="vpn"' in line


@pytest.mark.parametrize("arguments, count", [
    (("--user", "ALICE"), 2), (("--user", "alice@example.com"), 2), (("--user", "ali"), 0),
    (("--application", "wifi"), 1), (("--application", "wi"), 0),
    (("--result", "success"), 2), (("--result", "FAILURE"), 2), (("--result", "FAIL"), 0),
    (("--since", "1h"), 2), (("--since", "6h"), 3), (("--since", "7d"), 4),
    (("--since", "2020-01-01T00:00:00Z"), 4), (("--since", "2120-01-01T00:00:00Z"), 0),
    (("--query", "mobile"), 1), (("--query", "nowhere"), 0), (("--query", 'DEVICE":"MOBILE'), 0),
    (("--query", "Trusted. No need"), 4),
    (("--query", "of device", "--user", "zoe"), 1), (("--query", "of device", "--user", "bob"), 0),
    (("-n", "1"), 1), (("--last", "3"), 3), (("-n", "10000"), 4),
])
def test_log_filters(logged: Site, arguments: tuple[str, ...], count: int) -> None:
    answer = log(logged, *arguments)
    assert len(answer.lines) == count, answer
    assert answer.code == (YES if count else NO)
    as_json = log(logged, "--json", *arguments)
    assert len([json.loads(line) for line in as_json.lines]) == count


def test_log_last_gives_the_newest(logged: Site) -> None:
    assert log(logged, "-n", "2").lines == log(logged).lines[-2:]
    assert log(logged, "-n", "1", "--user", "bob").lines == log(logged).lines[1:2]


def test_log_reads_a_named_file_or_standard_input(logged: Site) -> None:
    rotated = logged.audit_path.with_name("audit.log.10")
    assert len(run("log", "--file", rotated).lines) == 1
    compressed = logged.audit_path.with_name("audit.log.2.gz")
    assert len(run("log", "--file", compressed).lines) == 1
    answer = run("log", "--file", "-", "--user", "zoe",
                 stdin=logged.audit_path.with_name("audit.log.10").read_bytes())
    assert answer.code == YES and len(answer.lines) == 1
    assert run("log", "--file", "-").code == NO
    assert run("log", "--file", "/nonexistent.log").code == FAULT
    assert run("log", "--file", "/dev/zero").code == FAULT


def test_log_passes_over_broken_lines(site: Site) -> None:
    whole = event(DEVICE)
    site.audit_path.write_bytes(
        b"half of a line\n" + whole.encode() + b"\n" + b"\x1b[2Jxx\xff\xfe\x00\n"
        + b'{"displayMessage":"Authentication of device"}\n' + b"x" * 200000 + b"\n"
        + b"[" * 5000 + b"\n" + whole.encode() + whole.encode()[:50])
    answer = log(site)
    assert answer.code == YES and len(answer.lines) == 2
    numbers = [line.split("audit.log:")[1].split(":")[0] for line in answer.err.splitlines()]
    assert numbers == ["1", "4", "5", "6", "7", "9"]
    assert "longer than" in answer.err


def test_log_does_not_drown_in_broken_lines(site: Site) -> None:
    site.audit_path.write_text("x\n" * 5000 + event(DEVICE))
    answer = log(site)
    assert answer.code == YES and len(answer.lines) == 1
    assert len(answer.err.splitlines()) == 21 and "4980 more lines" in answer.err


def test_log_shows_hostile_events_harmlessly(site: Site) -> None:
    line = event(HOSTILE, user=HOSTILE, application=HOSTILE, result=HOSTILE, reason=HOSTILE,
                 device=HOSTILE, rule=HOSTILE)
    raw = json.dumps(json.loads(line), ensure_ascii=False) + "\n"
    site.audit_path.write_text(line + raw)
    answer = log(site)
    assert answer.code == YES and len(answer.lines) == 2
    as_json = log(site, "--json")
    assert [json.loads(text) for text in as_json.lines] == [json.loads(line)] * 2


def test_log_without_events(site: Site) -> None:
    missing = log(site)
    assert missing.code == FAULT and "no audit file" in missing.err
    site.audit_path.write_text("")
    assert log(site) == Answer(NO, "", "")
    site.configure({"audit": {"file": "", "syslog": "yes"}})
    assert log(site).code == FAULT


def test_log_works_on_a_site_that_is_not_in_order(logged: Site) -> None:
    logged.okta_token_path.unlink()
    remove_policies(logged)
    assert log(logged).code == YES


def test_log_of_many_events_in_constant_memory(site: Site) -> None:
    lines = event(DEVICE) * 20000
    site.audit_path.write_text(lines)
    limited = subprocess.run(
        ["prlimit", "--data=50000000", str(CTL), "log", "--query", "of device", "-c",
         str(site.config_path)], capture_output=True, timeout=LIMIT, check=False)
    if os.environ.get("DEVTRUST_SAN"):
        limited = subprocess.run([str(CTL), "log", "--query", "of device", "-c",
                                  str(site.config_path)], capture_output=True, timeout=LIMIT,
                                 check=False)
    assert limited.returncode == YES, limited.stderr
    assert limited.stdout.count(b"\n") == 20000


# --- other users --------------------------------------------------------------------------------

def service_ids() -> Optional[tuple[int, int]]:
    try:
        entry = pwd.getpwnam("freerad")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def let_others_in(site: Site) -> None:
    """Down to the site, and to a copy of the simulation's CA in it."""
    for parent in site.directory.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(0o711)
    own = Path(shutil.copy(site.world.ca_file, site.directory / "sim-ca.pem"))
    own.chmod(0o644)
    site.configure({"okta": {"ca_file": own}, "intune": {"ca_file": own},
                    "audit": {"file": site.store_path.parent / "audit.log"}})


@pytest.mark.skipif(os.geteuid() != 0 or service_ids() is None,
                    reason="gives files to the service's user")
def test_root_does_not_lock_the_service_out(site: Site, world: Sim,
                                            index: dict[str, Any]) -> None:
    ids = service_ids()
    assert ids is not None
    site.chown(*ids)
    let_others_in(site)
    world.enrol_device(device_id(index, "device-rsa"))
    answer = check(site)
    assert answer.code == YES and answer.lines[0].startswith("checked as    freerad"), answer
    assert enrol(site, certificate(index, "device-rsa")).code == YES
    assert explain(site, "vpn", *shown(index, "device-rsa")).code == YES
    assert site.store_path.exists()
    for path in site.store_path.parent.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == ids, path
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user")
def test_another_user_learns_nothing(site: Site) -> None:
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(CTL),
                           "device", "list", "-c", str(site.config_path)],
                          capture_output=True, timeout=LIMIT, check=False)
    assert done.returncode == FAULT
    assert done.stdout == b""


def test_key_files_are_what_the_tests_take_them_for(index: dict[str, Any]) -> None:
    """The key and the certificate that the tests mix up are of two devices indeed."""
    loaded = [serialization.load_pem_private_key(
        Path(index["devices"][n]["files"]["key"]).read_bytes(), None) for n in ("host",
                                                                                "device-rsa")]
    numbers = [k.private_numbers().p for k in loaded]
    assert numbers[0] != numbers[1]
