# SPDX-License-Identifier: GPL-2.0-or-later
# Every key of devtrust.conf that names a file, with every kind of bad file: each is a fault of the
# configuration, told by check-config and at the doors with the key, its line and the file, and
# never an outage at somebody's login. The keys come from devtrust.conf(5), which tests compare with
# the table of keys: one that is added fails here until it is said how a good file of it looks.
"""Files that the configuration names."""

from __future__ import annotations

import datetime
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.lib import mmdb
from tests.lib.pamworld import CTL, DAEMON, ROOT
from tests.lib.radius import Radius
from tests.lib.site import Site
from tests.pki import authority as ca
from tests.sim.client import Sim

OTHER = 65534  # a user who is none of the services'
FAULT = 2
SOFTHSM = Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
GARBAGE = b"this is none of what belongs here\n"
LARGE = 8 * 1024 * 1024

Key = tuple[str, str]
Maker = Callable[[Site, Path], Any]  # writes a good file; gives settings that it needs beside it


def keys_of_files() -> dict[Key, bool]:
    """(section, key) of each key that names a file or a directory, and whether it is secret."""
    found, section = {}, ""
    for line in (ROOT / "man" / "devtrust.conf.5").read_text().splitlines():
        head = re.match(r"\.Ss Sections? \[([a-z_]+)", line)
        section = head.group(1) if head else section
        key = re.match(r"\.It Ic (\w+) No \((secret )?path\b", line)
        if key:
            found[section, key.group(1)] = bool(key.group(2))
    return found


# --- good files --------------------------------------------------------------------------------

def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def copy_of(*names: str) -> Maker:
    """Of a file of the test PKI."""
    def make(site: Site, path: Path) -> None:
        found: Any = site.pki
        for name in names:
            found = found[name]
        put(path, Path(found).read_bytes())
    return make


def revocation_list(site: Site, path: Path) -> dict[str, Any]:
    root = ca.Authority.root("Files CA")
    now = datetime.datetime(2020, 1, 1)
    crl = x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject) \
        .last_update(now).next_update(now + datetime.timedelta(days=36500)) \
        .add_extension(x509.CRLNumber(1), critical=False) \
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()),
                       critical=False).sign(root.key, hashes.SHA256())
    put(path, crl.public_bytes(serialization.Encoding.PEM))
    own = site.directory / "files-ca.pem"
    put(own, root.certificate_pem())
    return {"device_trust": {"ca_file": own, "revocation": "require"}, "ca": own}


def crl(site: Site, path: Path) -> dict[str, Any]:
    return {"device_trust": revocation_list(site, path)["device_trust"]}


def crl_of_section(site: Site, path: Path) -> dict[str, Any]:
    own = revocation_list(site, path)["ca"]
    return {"ca files": {"certificate_file": own, "revocation": "require"}}


def responder(_site: Site, path: Path) -> dict[str, Any]:
    put(path, ca.Authority.root("Responders").certificate_pem())
    return {"device_trust": {"ocsp": "yes", "revocation": "require"}}


def ca_of_section(_site: Site, path: Path) -> None:
    put(path, ca.Authority.root("Files CA").certificate_pem())


def host_certificate(site: Site, path: Path) -> dict[str, Any]:
    copy_of("devices", "host", "files", "certificate")(site, path)
    return {"device_trust": {"host_key_file": site.pki["devices"]["host"]["files"]["key"]}}


def host_key(site: Site, path: Path) -> dict[str, Any]:
    copy_of("devices", "host", "files", "key")(site, path)
    return {"device_trust": {
        "host_certificate_file": site.pki["devices"]["host"]["files"]["certificate"]}}


TOKEN = "pkcs11:token=none;object=none"


def module(site: Site, path: Path) -> dict[str, Any]:
    shutil.copy(SOFTHSM, path)
    return {"device_trust": {
        "host_certificate_file": site.pki["devices"]["host"]["files"]["certificate"],
        "host_key": TOKEN}}


def pin(site: Site, path: Path) -> dict[str, Any]:
    put(path, b"1234\n")
    return {"device_trust": {**module(site, site.directory / "module.so")["device_trust"],
                             "pkcs11_module": site.directory / "module.so"}}


def client_secret(_site: Site, path: Path) -> dict[str, Any]:
    put(path, b"a-client-secret\n")
    return {"intune": {"certificate_file": None, "key_file": None}}


def ssh_ca(_site: Site, path: Path) -> None:
    key = path.with_name("ssh-ca")
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    put(path, key.with_suffix(".pub").read_bytes())


def hint(site: Site, path: Path) -> dict[str, Any]:
    put(path, b"a-secret-key-of-device-trust-settings\n")
    return {"device_trust": {"managed_configuration_file": site.directory / "managed.json"}}


def database(kind: str, data: dict[str, Any]) -> Maker:
    return lambda _site, path: mmdb.write(path, kind, {"192.0.2.0/24": data})


def policies(site: Site, path: Path) -> None:
    shutil.copytree(site.policy_directory, path)


def same(key: Key) -> Maker:
    """As the site has it already."""
    return lambda site, path: put(path, Path(site.settings[key[0]][key[1]]).read_bytes())


def proxy_credentials(section: str, key: str) -> Maker:
    def make(_site: Site, path: Path) -> dict[str, Any]:
        put(path, b"user:password\n")
        return {section: {key: "http://127.0.0.1:1"}}
    return make


def okta_key(site: Site, path: Path) -> dict[str, Any]:
    put(path, Path(site.world.okta_keys["rsa"]).read_bytes())
    return {"okta": {"client_id": "0oa1", "api_token_file": None}}


def okta_next_key(site: Site, path: Path) -> dict[str, Any]:
    put(path, Path(site.world.okta_keys["next"]).read_bytes())
    own = site.directory / "okta.key"
    put(own, Path(site.world.okta_keys["rsa"]).read_bytes())
    own.chmod(0o600)
    return {"okta": {"client_id": "0oa1", "api_token_file": None, "key_file": own, "key_id": "a",
                     "next_key_id": "b"}}


def proxy_ca(site: Site, path: Path) -> dict[str, Any]:
    put(path, Path(site.world.ca_file).read_bytes())
    return {"http": {"proxy": "https://127.0.0.1:1"}}


def nas_secret(_site: Site, path: Path) -> dict[str, Any]:
    put(path, b"the secret of a NAS, 32 bytes ok\n")
    return {"nas files": {"address": "192.0.2.1"}}


NAMED = {"ca": "ca files", "nas": "nas files"}  # sections with a name

GOOD: dict[Key, Maker] = {
    ("okta", "api_token_file"): same(("okta", "api_token_file")),
    ("okta", "key_file"): okta_key,
    ("okta", "next_key_file"): okta_next_key,
    ("okta", "ca_file"): same(("okta", "ca_file")),
    ("okta", "proxy_credentials_file"): proxy_credentials("okta", "proxy"),
    ("http", "proxy_credentials_file"): proxy_credentials("http", "proxy"),
    ("http", "proxy_ca_file"): proxy_ca,
    ("intune", "proxy_credentials_file"): proxy_credentials("intune", "proxy"),
    ("device_trust", "ocsp_proxy_credentials_file"): proxy_credentials("device_trust",
                                                                       "ocsp_proxy"),
    ("user_name", "table_file"): lambda _site, path: put(path, b"asmith -> a.smith@example.com\n"),
    ("intune", "certificate_file"): same(("intune", "certificate_file")),
    ("intune", "key_file"): same(("intune", "key_file")),
    ("intune", "client_secret_file"): client_secret,
    ("intune", "ca_file"): same(("intune", "ca_file")),
    ("device_trust", "ca_file"): copy_of("authorities", "company_ca"),
    ("device_trust", "shared_ca_file"): copy_of("authorities", "shared_ca"),
    ("device_trust", "crl_file"): crl,
    ("device_trust", "ocsp_responder_file"): responder,
    ("device_trust", "host_certificate_file"): host_certificate,
    ("device_trust", "host_key_file"): host_key,
    ("device_trust", "host_key_pin_file"): pin,
    ("device_trust", "pkcs11_module"): module,
    ("device_trust", "ssh_device_ca_file"): ssh_ca,
    ("device_trust", "management_hint_file"): hint,
    ("policy", "directory"): policies,
    ("policy", "zones_file"): lambda _site, path: put(path, b'{"zones": []}'),
    ("policy", "asn_database"): database("GeoLite2-ASN", {"autonomous_system_number": 1}),
    ("policy", "location_database"): database("GeoLite2-Country", {"country": {"iso_code": "DE"}}),
    ("policy", "org_file"): lambda _site, path: put(
        path, (ROOT / "conf" / "okta-sign-on.json").read_bytes()),
    ("store", "state_key_file"): same(("store", "state_key_file")),
    ("ca", "certificate_file"): ca_of_section,
    ("ca", "crl_file"): crl_of_section,
    ("nas", "secret_file"): nas_secret,
}

# What devtrust writes, or makes, or what may come at any time: judged by other rules, below.
WRITTEN: dict[Key, str] = {
    ("store", "path"): "made anew where it is missing",
    ("audit", "file"): "made anew where it is missing",
    ("radius", "store_path"): "FreeRADIUS's, in place of [store] path",
    ("radius", "audit_file"): "FreeRADIUS's, in place of [audit] file",
    ("radius", "state_key_file"): "FreeRADIUS's, in place of [store] state_key_file",
    ("radius", "metrics_socket"): "FreeRADIUS's, in place of [metrics] socket",
    ("radius", "metrics_textfile"): "FreeRADIUS's, in place of [metrics] textfile",
    ("metrics", "socket"): "made anew; no sign-on depends on it",
    ("metrics", "textfile"): "the same",
    ("daemon", "socket"): "made by the daemon or the service manager",
    ("device_trust", "managed_configuration_file"): "written by the MDM, read at each sign-on",
    ("signals", "news"): "made anew by devtrust-signals; no sign-on depends on it",
    **{key: "devtrust-signals reads it, and judges it at its start: test_signals_poll"
       for key in (("signals", "okta_hook_secret_file"), ("signals", "proxy_credentials_file"),
                   ("transmitter", "push_secret_file"), ("transmitter", "token_file"),
                   ("transmitter", "client_secret_file"), ("transmitter", "key_file"),
                   ("transmitter", "ca_file"))},
}


# --- bad files ---------------------------------------------------------------------------------

def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def missing(path: Path) -> None:
    remove(path)


def a_directory(path: Path) -> None:
    remove(path)
    path.mkdir()


def a_fifo(path: Path) -> None:
    remove(path)
    os.mkfifo(path, 0o600)


def a_link(path: Path) -> None:
    real = path.with_name("real")
    remove(real)
    path.rename(real)
    path.symlink_to(real)
    os.chown(path, OTHER, OTHER, follow_symlinks=False)


def a_link_on_the_way(path: Path) -> None:
    """The directory that it is in is a link; its name stays the same."""
    real = path.parent.with_name("real-directory")
    path.parent.rename(real)
    path.parent.symlink_to(real)


def world_writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o022)


def of_somebody_else(path: Path) -> None:
    os.chown(path, OTHER, OTHER)


def in_a_writable_directory(path: Path) -> None:
    path.parent.chmod(0o777)


def empty(path: Path) -> None:
    if path.is_dir():
        for entry in path.iterdir():
            entry.unlink()
    else:
        path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(GARBAGE)


def other_pem(path: Path) -> None:
    """PEM, but nothing that belongs here."""
    path.write_bytes(b"-----BEGIN NOTHING-----\naGVsbG8=\n-----END NOTHING-----\n")


def too_large(path: Path) -> None:
    with open(path, "ab") as file:
        file.truncate(1024 * 1024 * 1024)


def readable(path: Path) -> None:
    path.chmod(0o644)


KINDS: list[Callable[[Path], None]] = [
    missing, a_directory, a_fifo, a_link, a_link_on_the_way, world_writable, of_somebody_else,
    in_a_writable_directory, empty, garbage, other_pem, too_large, readable]

# What is not a fault, and why.
FINE: dict[Callable[[Path], None], dict[Key, str]] = {
    garbage: {("intune", "client_secret_file"): "any text may be one",
              ("device_trust", "host_key_pin_file"): "any text may be one",
              ("device_trust", "management_hint_file"): "any text may be one",
              ("nas", "secret_file"): "any text may be one"},
    other_pem: {("intune", "client_secret_file"): "any text may be one",
                ("device_trust", "host_key_pin_file"): "any text may be one",
                ("device_trust", "management_hint_file"): "any text may be one",
                ("nas", "secret_file"): "any text may be one"},
    a_link_on_the_way: {("device_trust", "pkcs11_module"): "root's links lead to modules"},
}
FOR_FILES = {a_directory, garbage, other_pem, too_large, readable}


class Case(NamedTuple):
    key: Key
    kind: Callable[[Path], None]

    def __str__(self) -> str:
        return f"[{self.key[0]}] {self.key[1]} {self.kind.__name__}"


def cases() -> Iterator[Case]:
    for key, secret in keys_of_files().items():
        for kind in KINDS if key in GOOD else []:
            if (kind is readable and not secret) or key in FINE.get(kind, {}) or \
                    (key == ("policy", "directory") and kind in FOR_FILES):
                continue
            yield Case(key, kind)


# --- the tests ---------------------------------------------------------------------------------

@pytest.fixture(name="sim", scope="module")
def a_sim(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any]) -> Iterator[Sim]:
    with Sim.start(tmp_path_factory.mktemp("sim"), tenant=pki_index["tenant_id"]) as sim:
        yield sim


@pytest.fixture(name="site")
def a_site(tmp_path: Path, sim: Sim, pki_index: dict[str, Any]) -> Site:
    return Site(tmp_path / "site", sim, pki_index, applications=("vpn",))


def name_file(site: Site, key: Key) -> Path:
    """Writes a good file for the key in a directory of its own, and names it."""
    directory = site.directory / "named"
    directory.mkdir(mode=0o755)
    path = directory / "file"
    beside: Optional[dict[str, Any]] = GOOD[key](site, path)
    section = NAMED.get(key[0], key[0])
    site.configure(beside or {})
    site.configure({section: {key[1]: path}})
    return path


def check(site: Site) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([CTL, "check-config", "-c", site.config_path], text=True,
                          capture_output=True, timeout=60)


def line_of(site: Site, key: str, path: Path) -> int:
    lines = site.config_path.read_text().splitlines()
    return lines.index(f"{key} = {path}") + 1


def test_every_key_is_here() -> None:
    found = keys_of_files()
    assert set(found) == set(GOOD) | set(WRITTEN), "say how a good file looks, or why it is other"
    assert len(found) >= 29


@pytest.mark.parametrize("key", GOOD, ids=str)
def test_good_file(site: Site, key: Key) -> None:
    name_file(site, key)
    done = check(site)
    if TOKEN in site.config_path.read_text():  # nothing is wrong with the file; there is no token
        assert "pkcs11_module" not in done.stderr and "pin_file" not in done.stderr, done.stderr
        assert "[device_trust] host_key: " in done.stderr, done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", cases(), ids=str)
def test_bad_file(site: Site, case: Case) -> None:
    path = name_file(site, case.key)
    case.kind(path)
    done = check(site)
    assert done.returncode == FAULT, done.stdout + done.stderr
    section = NAMED.get(case.key[0], case.key[0])
    where = f"devtrust.conf:{line_of(site, case.key[1], path)}: [{section}] {case.key[1]}"
    told = [line for line in done.stderr.splitlines() if str(path.parent) in line]
    assert told and any(where in line for line in told), done.stderr


DOOR_CASES = [Case(("okta", "ca_file"), kind) for kind in KINDS if kind is not readable] + [
    Case(("intune", "ca_file"), missing), Case(("intune", "ca_file"), world_writable),
    Case(("intune", "key_file"), readable), Case(("okta", "api_token_file"), of_somebody_else),
    Case(("device_trust", "ca_file"), a_link), Case(("policy", "zones_file"), a_fifo)]


@pytest.mark.parametrize("case", DOOR_CASES, ids=str)
def test_bad_file_at_the_doors(site: Site, tmp_path: Path, case: Case) -> None:
    """Neither devtrustd nor FreeRADIUS starts with it, and both say what is wrong."""
    path = name_file(site, case.key)
    radius = Radius(tmp_path / "radius", site)
    case.kind(path)
    where = f"devtrust.conf:{line_of(site, case.key[1], path)}: [{case.key[0]}] {case.key[1]}"
    daemon = subprocess.run([DAEMON, "--config", site.config_path, "--user", "root",
                             "--foreground"], text=True, capture_output=True, timeout=60,
                            stdin=subprocess.DEVNULL)
    assert daemon.returncode == 1 and where in daemon.stderr, daemon.stderr
    server = radius.check()
    assert server.returncode != 0 and where in server.stdout, server.stdout


# --- what is written ---------------------------------------------------------------------------

def no_directory(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)


WRITTEN_KINDS = [a_directory, a_fifo, a_link, world_writable, no_directory]


@pytest.mark.parametrize("key", [("audit", "file"), ("store", "path")], ids=str)
@pytest.mark.parametrize("kind", WRITTEN_KINDS, ids=lambda kind: kind.__name__)
def test_bad_file_that_is_written(site: Site, key: Key, kind: Callable[[Path], None]) -> None:
    directory = site.directory / "written"
    directory.mkdir(mode=0o700)
    path = directory / "file"
    put(path, b"")
    site.configure({"audit": {"syslog": "yes"}})
    site.configure({key[0]: {key[1]: path}})
    kind(path)
    done = check(site)
    where = f"devtrust.conf:{line_of(site, key[1], path)}: [{key[0]}] {key[1]}"
    assert done.returncode == FAULT and where in done.stderr, done.stdout + done.stderr


SERVICE = "freerad"


@pytest.fixture(name="check_as_service")
def _check_as_service(site: Site, tmp_path: Path) \
        -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """check-config, in a place where the service's user reaches all that it may read."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(0o711)
    vouching = Path(shutil.copy(site.world.ca_file, site.directory / "vouching.pem"))
    vouching.chmod(0o644)
    site.configure({"okta": {"ca_file": vouching}, "intune": {"ca_file": vouching}})
    ctl = Path(shutil.copy(CTL, site.directory))
    return lambda *options: subprocess.run(
        [ctl, "check-config", *options, "-c", site.config_path], text=True, capture_output=True,
        timeout=60)


@pytest.mark.parametrize("key", [("audit", "file"), ("store", "path")], ids=str)
def test_file_that_the_one_who_runs_cannot_write(site: Site, key: Key,
                                                 check_as_service: Any) -> None:
    """Root can; freerad, who runs it, cannot. What check-config says to type helps."""
    directory = site.directory / "written"
    directory.mkdir(mode=0o755)
    site.configure({key[0]: {key[1]: directory / "file"}})
    entry = pwd.getpwnam(SERVICE)
    site.chown(entry.pw_uid, entry.pw_gid)
    done = check_as_service("--user", SERVICE)
    assert f"[{key[0]}] {key[1]}" in done.stderr, done.stderr
    os.chown(directory, entry.pw_uid, entry.pw_gid)
    done = check_as_service("--user", SERVICE)
    assert f"[{key[0]}] {key[1]}" not in done.stderr, done.stderr
    assert done.stdout.startswith("checked as    freerad")


@pytest.mark.parametrize("options", [(), ("--user", SERVICE)], ids=str)
def test_ownership_as_the_readme_says(site: Site, options: tuple[str, ...],
                                      check_as_service: Any) -> None:
    """Secrets of root that the service's group may read, directories of the service: no fault."""
    entry = pwd.getpwnam(SERVICE)
    for name, mode in (("state", 0o700), ("log", 0o750)):
        directory = site.directory / name
        directory.mkdir(mode=mode, exist_ok=True)
        os.chown(directory, entry.pw_uid, entry.pw_gid)
    secrets = [site.okta_token_path, site.graph_key, site.state_key_path]
    for secret in secrets:
        secret.chmod(0o640)
        os.chown(secret, 0, entry.pw_gid)
    site.configure({"audit": {"file": site.directory / "log" / "audit.log"}})
    done = check_as_service(*options)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    assert done.stdout.startswith("checked as    freerad")
    for secret in secrets:
        secret.chmod(0o600)
        done = check_as_service(*options)
        assert done.returncode == FAULT and str(secret) in done.stderr, done.stderr
        secret.chmod(0o640)
