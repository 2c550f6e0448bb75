# SPDX-License-Identifier: GPL-2.0-or-later
# Okta asked by a service app (private_key_jwt, DPoP) in place of an API token, against a simulation
# that checks assertions and proofs strictly.
"""OAuth credentials for Okta."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import subprocess
import threading
from typing import Any, Iterator, Optional

import pytest

from tests.lib import site as sites
from tests.lib.pamworld import CTL, PamWorld, pam_world

ALICE = "dtalice@example.com"
STORES = itertools.count(1)  # a store for each test: none has a token yet
OF_APP: dict[str, Any] = {"key_id": None, "next_key_file": None, "next_key_id": None, "dpop": None,
                          "api_token_file": None}


@pytest.fixture(name="world", scope="module")
def _world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    settings = {"mfa": {"number_challenge": "never", "push_limit": "1000"},
                "okta": {"user_ttl": "0"}, "daemon": {"no_prompt_services": "sshd"}}
    with pam_world(pki_index, applications=("sshd",), settings=settings) as world:
        world.service("sshd")
        for kid, path in world.sim.okta_keys.items():
            shutil.copy(path, world.site.directory / f"{kid}.key")
        yield world


@pytest.fixture(autouse=True)
def _clean(world: PamWorld) -> Iterator[None]:
    world.sim.reset()
    world.sim.org(okta_token_valid=False)  # no API token may help
    world.sim.add_user(ALICE, factors=["push"])
    world.sim.set_push(ALICE, "approve")
    world.site.store_path = world.site.store_path.parent / f"{next(STORES)}.db"
    world.site.configure({"policy": {"okta_unavailable": "deny"}, "mfa": {"wait_pam": "20s"},
                          "store": {"path": world.site.store_path}})
    yield
    world.stop_daemon()
    log = "".join(path.read_text() for path in (world.log_path, world.site.audit_path)
                  if path.exists())
    assert "eyJ" not in log and "PRIVATE" not in log  # neither assertion nor proof nor key


def app(world: PamWorld, kid: str = "rsa", **settings: Any) -> dict[str, Any]:
    return {"okta": {**OF_APP, "client_id": world.sim.okta_client_id,
                     "key_file": world.site.directory / f"{kid}.key", **settings}}


def data_of(event: dict[str, Any]) -> dict[str, Any]:
    return event["debugContext"]["debugData"]


def sign_on(world: PamWorld) -> dict[str, Any]:
    before = len(world.site.sign_ons())
    report = world.login("sshd", "dtalice")
    return {**data_of(world.outcome("sshd", before + 1)), "auth": report["auth"]}


def start(world: PamWorld, kid: str = "rsa", **settings: Any) -> dict[str, Any]:
    """A daemon with the app, and its first sign-on."""
    world.restart_daemon(app(world, kid, **settings))
    return sign_on(world)


def tokens(world: PamWorld) -> int:
    return world.sim.count("okta.token")


def succeeded(got: dict[str, Any]) -> bool:
    return got["auth"] == "SUCCESS" and got["cause"] == "MFA_SUCCESS"


# --- what works ----------------------------------------------------------------------------------

@pytest.mark.parametrize("kid", ["rsa", "ec"])
@pytest.mark.parametrize("dpop", [False, True])
def test_keys(world: PamWorld, kid: str, dpop: bool) -> None:
    world.sim.org(oauth_kids=kid, oauth_dpop=dpop)
    got = start(world, kid, dpop="yes" if dpop else None)
    assert succeeded(got), got
    assert tokens(world) == (2 if dpop else 1)  # the first only brings the nonce
    assert succeeded(sign_on(world))
    assert tokens(world) == (2 if dpop else 1)


def test_a_key_among_several_is_named(world: PamWorld) -> None:
    world.sim.org(oauth_kids="rsa ec")
    got = start(world, "ec")
    assert got["auth"] != "SUCCESS" and got["cause"] == "CONFIG", got
    assert "key_id" in got["detail"] and "invalid_client" in got["detail"]
    assert succeeded(start(world, "ec", key_id="ec"))


def test_groups_by_name(world: PamWorld) -> None:
    """An app's group counts by its name while no other has it, which takes a scope of its own."""
    world.sim.org(oauth_scopes="okta.users.read okta.users.manage okta.groups.read")
    group = world.sim.add_group("Staff", "APP_GROUP")
    world.sim.set_user(ALICE, groups=["Everyone", group])
    policy = (world.site.policy_directory / "sshd.json").read_text()
    staff = sites.rule("Staff by MFA", 1, people={"groups": {"include": ["Staff"]}})
    staff["actions"] = sites.guide_policy("sshd")["rules"][1]["actions"]
    world.site.set_policy({"name": "sshd", "application": "sshd",
                           "rules": [staff, sites.catch_all()]})
    try:
        world.site.configure({"policy": {"groups_from": "okta"}})
        got = start(world)
        assert succeeded(got) and got["rule"] == "Staff by MFA", (got["cause"], got["detail"])
    finally:
        world.site.configure({"policy": {"groups_from": None}})
        (world.site.policy_directory / "sshd.json").write_text(policy)


def test_one_request_for_many(world: PamWorld) -> None:
    names = [f"dt{n}@example.com" for n in ("alice", "bob", "carol")]
    for name in names[1:]:
        world.sim.add_user(name, factors=["push"])
        world.sim.set_push(name, "approve")
    world.sim.fault("delay", endpoint="token", seconds=1.0)
    world.restart_daemon(app(world))
    results: list[str] = []
    threads = [threading.Thread(target=lambda user: results.append(
        world.login("sshd", user)["auth"]), args=(n.partition("@")[0],)) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["SUCCESS"] * 3 and tokens(world) == 1


# --- shared between processes --------------------------------------------------------------------

@pytest.mark.parametrize("dpop", [False, True])
def test_processes_share_a_token(world: PamWorld, dpop: bool) -> None:
    """A daemon's, the next daemon's, and that of a login without any."""
    world.sim.org(oauth_dpop=dpop)
    assert succeeded(start(world, dpop="yes" if dpop else None))
    asked = tokens(world)
    world.restart_daemon()
    assert succeeded(sign_on(world))
    world.stop_daemon()
    assert succeeded(sign_on(world))  # devtrustd --one
    assert tokens(world) == asked


def test_what_is_shared_is_sealed(world: PamWorld) -> None:
    """Neither the store gives a token away, nor does a row that somebody else has written count."""
    world.sim.org(oauth_dpop=True)
    assert succeeded(start(world, dpop="yes"))
    world.stop_daemon()
    content = b"".join(p.read_bytes() for p in world.site.store_path.parent.iterdir())
    assert b"token:" in content and b"DPoP " not in content and b'"d":' not in content
    with sqlite3.connect(world.site.store_path) as store:
        (value,) = store.execute("SELECT value FROM rows WHERE key LIKE 'token:%'").fetchone()
        for broken in (value[:-1], value[:10], b"", value[:-1] + bytes([value[-1] ^ 1]),
                       bytes(len(value))):
            store.execute("UPDATE rows SET value = ? WHERE key LIKE 'token:%'", (broken,))
            store.commit()
            asked = tokens(world)
            world.start_daemon()
            assert succeeded(sign_on(world))
            world.stop_daemon()
            assert tokens(world) > asked


def test_a_token_of_another_key_is_not_taken(world: PamWorld) -> None:
    world.sim.org(oauth_kids="rsa ec")
    assert succeeded(start(world, key_id="rsa"))
    assert succeeded(start(world, "ec", key_id="ec"))
    assert tokens(world) == 2


# --- renewed ------------------------------------------------------------------------------------

def test_a_token_is_renewed_early(world: PamWorld) -> None:
    """While it is still good, behind the back of who uses it: nobody waits."""
    world.sim.org(oauth_token_lifetime=12)  # renewed at half of it
    assert succeeded(start(world))
    deadline = 60
    while tokens(world) < 2 and deadline:
        assert succeeded(sign_on(world))
        deadline -= 1
    assert tokens(world) >= 2


@pytest.mark.parametrize("dpop", [False, True])
def test_a_revoked_token_is_replaced(world: PamWorld, dpop: bool) -> None:
    world.sim.org(oauth_dpop=dpop)
    assert succeeded(start(world, dpop="yes" if dpop else None))
    asked = tokens(world)
    world.sim.revoke_tokens()
    assert succeeded(sign_on(world))
    assert tokens(world) == asked + 1
    assert len(world.sim.pushes(ALICE)) == 2  # one each


def test_the_next_key_is_used(world: PamWorld) -> None:
    """The administrator deactivates the old key at Okta: nobody notices."""
    world.sim.org(oauth_kids="rsa next")
    keys = {"key_id": "rsa", "next_key_file": world.site.directory / "next.key",
            "next_key_id": "next"}
    assert succeeded(start(world, **keys))
    assert tokens(world) == 1
    world.sim.org(oauth_kids="next")
    world.sim.revoke_tokens()
    assert succeeded(sign_on(world))
    assert tokens(world) == 3  # the refused one, and that of the next key
    world.sim.org(oauth_kids="rsa")  # and back
    world.sim.revoke_tokens()
    world.stop_daemon()
    world.start_daemon()
    assert succeeded(sign_on(world))
    world.sim.org(oauth_kids="ec")
    world.sim.revoke_tokens()
    world.restart_daemon()
    got = sign_on(world)
    assert got["cause"] == "CONFIG" and "invalid_client" in got["detail"], got


# --- DPoP ----------------------------------------------------------------------------------------

def test_nonces_of_the_service(world: PamWorld) -> None:
    """Asked for by any request; another one comes; a push is sent once all the same."""
    world.sim.org(oauth_dpop=True, oauth_api_nonce=True)
    assert succeeded(start(world, dpop="yes"))
    assert len(world.sim.pushes(ALICE)) == 1
    for number in (2, 3):
        world.sim.org(oauth_nonce_number=number)
        assert succeeded(sign_on(world))
        assert len(world.sim.pushes(ALICE)) == number
    world.sim.revoke_tokens()
    world.sim.org(oauth_nonce_number=4)
    assert succeeded(sign_on(world))


def test_a_nonce_that_never_fits_ends(world: PamWorld) -> None:
    world.sim.org(oauth_dpop=True)
    world.sim.fault("json", endpoint="token", status=400, body={"error": "use_dpop_nonce"})
    got = start(world, dpop="yes")
    assert got["cause"] == "CONFIG" and tokens(world) == 1, got
    world.stop_daemon()
    world.sim.clear_faults()
    world.sim.org(oauth_api_nonce=True)
    world.sim.fault("headers", endpoint="user", headers={"dpop-nonce": "never-right"})
    got = start(world, dpop="yes")
    assert got["auth"] != "SUCCESS" and got["cause"] == "CONFIG", got


def test_dpop_is_as_the_app_has_it(world: PamWorld) -> None:
    world.sim.org(oauth_dpop=True)
    got = start(world)
    assert got["cause"] == "CONFIG" and "set dpop = yes in [okta]" in got["detail"], got
    world.sim.org(oauth_dpop=False)
    got = start(world, dpop="yes")
    assert got["cause"] == "CONFIG" and got["auth"] != "SUCCESS", got


# --- clocks --------------------------------------------------------------------------------------

@pytest.mark.parametrize("skew", [-7000.0, -400.0, 400.0, 7000.0])
def test_another_clock(world: PamWorld, skew: float) -> None:
    """Okta's Date says what time it is there; so far apart no assertion would be taken else."""
    world.sim.org(oauth_dpop=True, date_skew=skew)
    got = start(world, dpop="yes")
    assert succeeded(got), got


# --- what Okta refuses ---------------------------------------------------------------------------

def test_scopes_that_are_not_granted(world: PamWorld) -> None:
    world.sim.org(oauth_scopes="okta.users.read")
    got = start(world)
    assert got["cause"] == "CONFIG" and got["auth"] != "SUCCESS", got
    assert "invalid_scope; grant the app these scopes: okta.users.read okta.users.manage" \
        in got["detail"]


def test_the_least_scopes(world: PamWorld) -> None:
    """Exactly these are asked for; devices only where okta-device is evidence."""
    world.sim.org(oauth_scopes="okta.users.read okta.users.manage")
    assert succeeded(start(world))
    world.site.configure({"device_trust": {"trusted_when": "certificate+okta-device"}})
    try:
        got = start(world)
        assert "okta.devices.read" in got["detail"] and got["cause"] == "CONFIG", got
        world.sim.org(oauth_scopes="okta.users.read okta.users.manage okta.devices.read")
        world.restart_daemon()
        assert succeeded(sign_on(world))
    finally:
        world.site.configure({"device_trust": {"trusted_when": "certificate+intune, "
                                                               "ssh-key+intune"}})


def test_no_admin_role(world: PamWorld) -> None:
    world.sim.org(oauth_admin_role=False)
    got = start(world)
    assert got["cause"] == "CONFIG" and "administrator role" in got["detail"], got


def test_outside_of_the_zone(world: PamWorld) -> None:
    world.sim.org(oauth_outside_zone=True)
    got = start(world)
    assert got["cause"] == "CONFIG" and "network zone" in got["detail"], got


@pytest.mark.parametrize("fault, cause, outage", [
    ({"kind": "status", "status": 503}, "OKTA_UNAVAILABLE", True),
    ({"kind": "reset"}, "OKTA_UNAVAILABLE", True),
    ({"kind": "json", "status": 429, "body": {"error": "invalid_grant"}}, "MFA_RATE_LIMITED",
     False),
    ({"kind": "json", "body": {}}, "CONFIG", False), ({"kind": "html"}, "CONFIG", False),
    ({"kind": "json", "body": {"token_type": "Bearer", "expires_in": "3600",
                               "access_token": "x"}}, "CONFIG", False),
    ({"kind": "json", "body": {"token_type": "Bearer", "expires_in": 3600}}, "CONFIG", False),
    ({"kind": "json", "body": {"token_type": "mac", "expires_in": 3600, "access_token": "xyz"}},
     "CONFIG", False),
    ({"kind": "json", "body": {"token_type": "Bearer", "expires_in": 3600,
                               "access_token": "a\r\nX-Evil: yes"}}, "CONFIG", False),
    ({"kind": "json", "body": {"token_type": "Bearer", "expires_in": -1, "access_token": "xyz"}},
     "CONFIG", False)])
def test_no_token(world: PamWorld, fault: dict[str, Any], cause: str, outage: bool) -> None:
    """An outage of the token endpoint is one of Okta's; whatever else it answers is none."""
    kind = fault["kind"]
    world.sim.fault(kind, endpoint="token", **{k: v for k, v in fault.items() if k != "kind"})
    world.site.configure({"policy": {"okta_unavailable": "allow"}, "mfa": {"wait_pam": "5s"}})
    got = start(world)
    assert got["cause"] == ("OKTA_UNAVAILABLE_ALLOW" if outage else cause), got
    assert (got["auth"] == "SUCCESS") == outage
    if not outage:
        assert not world.sim.pushes(ALICE)


# --- files and other doors -----------------------------------------------------------------------

def check_config(world: PamWorld, settings: dict[str, Any]) -> str:
    world.site.configure(settings)
    done = subprocess.run([CTL, "check-config", "-c", world.site.config_path], text=True,
                          capture_output=True, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


BAD_KEYS = [("ed25519", ["-algorithm", "ED25519"]),
            ("p384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
            ("rsa1024", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"])]


@pytest.mark.parametrize("name, options", BAD_KEYS)
def test_keys_that_are_not_taken(world: PamWorld, name: str, options: list[str]) -> None:
    path = world.site.directory / f"{name}.key"
    path.touch(0o600)
    subprocess.run(["openssl", "genpkey", *options, "-out", path], check=True,
                   capture_output=True)
    path.chmod(0o600)
    said = check_config(world, app(world, name))
    assert "[okta] key_file: " in said and "must be RSA of 2048 to 4096 bits, or P-256" in said
    said = check_config(world, app(world, key_id="rsa", next_key_file=path, next_key_id="b"))
    assert "[okta] next_key_file: " in said and "P-256" in said


@pytest.mark.parametrize("settings, words", [
    ({"key_file": None}, "key_file: is missing"),
    ({"client_id": None}, "key_file: is set, but client_id is not"),
    ({"client_id": "0oa bc"}, "client_id: is not the client id"),
    ({"key_id": 'a"b'}, "key_id: is not the id of a key"),
    ({"next_key_id": "b"}, "next_key_id: is set, but next_key_file is not"),
    ({"next_key_file": "/k", "next_key_id": "b"}, "next_key_file: needs key_id and next_key_id"),
    ({"next_key_file": "/k", "key_id": "b", "next_key_id": "b"}, "next_key_file: needs key_id"),
    ({"api_token_file": "/t"}, "api_token_file: is set together with client_id")])
def test_settings_that_do_not_fit(world: PamWorld, settings: dict[str, Any],
                                  words: str) -> None:
    assert words in check_config(world, app(world, **settings))


def test_the_okta_password_needs_a_token(world: PamWorld) -> None:
    primary: dict[str, Optional[str]] = {"okta_password": "sshd"}
    try:
        said = check_config(world, {**app(world), "primary": primary})
        assert "okta_password: needs an API token" in said
        said = check_config(world, app(world, api_token_file=world.site.okta_token_path))
        assert not said, said
    finally:
        world.site.configure({"primary": {"okta_password": None},
                              "okta": {"api_token_file": None}})


def test_an_import_asks_for_its_own_scopes(world: PamWorld) -> None:
    scopes = "okta.policies.read okta.networkZones.read okta.groups.read okta.users.read " \
             "okta.apps.read"
    world.sim.org(oauth_dpop=True, oauth_api_nonce=True, oauth_scopes=scopes)
    world.site.configure(app(world, dpop="yes"))

    def fetch() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CTL, "policy", "fetch", "-c", world.site.config_path, "--save",
             world.site.directory / "org.json"], text=True, capture_output=True, timeout=60)

    done = fetch()
    assert world.sim.count("okta.policies") >= 1 and world.sim.count("okta.token") == 2, done
    world.sim.org(oauth_scopes="okta.users.read")
    done = fetch()
    assert done.returncode != 0, done
    assert "grant the app these scopes: okta.policies.read" in done.stderr, done
