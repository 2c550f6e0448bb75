# SPDX-License-Identifier: GPL-2.0-or-later
# devtrustctl check-pam over Debian's own PAM files as they are on this disk, with the samples laid
# over them and with what administrators write; and over what the real sshd says of its options.
"""devtrustctl check-pam."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.lib.pamworld import CTL, LIMIT, ROOT

SAMPLES = ROOT / "conf" / "pam.d"
NAMES = ("sshd", "sudo", "sudo-i", "su", "su-l", "login")
OURS = "pam_devtrust.so"


class Host:
    """A system's files below a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.root = directory / "root"
        self.pam = self.root / "etc" / "pam.d"
        shutil.copytree("/etc/pam.d", self.pam)
        if Path("/usr/lib/pam.d").is_dir():
            shutil.copytree("/usr/lib/pam.d", self.root / "usr" / "lib" / "pam.d")
        (self.root / "etc" / "sudoers").write_text("Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n")
        (self.root / "etc" / "sudoers.d").mkdir()
        self.sshd_config = directory / "sshd_config"
        self.host_key = directory / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.host_key],
                       check=True, stdin=subprocess.DEVNULL)
        self.sshd()

    def sshd(self, *lines: str, drop_in: bool = True) -> None:
        """The first of two counts."""
        text = [*lines, f"HostKey {self.host_key}"]
        if drop_in:
            text += ["PermitRootLogin yes", f"Include {ROOT / 'conf' / 'sshd' / 'devtrust.conf'}"]
        self.sshd_config.write_text("\n".join(text) + "\n")

    def install(self, *names: str) -> None:
        for name in names:
            shutil.copy(SAMPLES / (name + "-devtrust"), self.pam / name)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.pam / name).read_text()
        assert re.search(old, text), text
        (self.pam / name).write_text(re.sub(old, new, text, count=1))

    def line(self, name: str, pattern: str) -> str:
        """FILE:LINE of the first line that fits."""
        for number, line in enumerate((self.pam / name).read_text().splitlines(), 1):
            if re.search(pattern, line):
                return f"/etc/pam.d/{name}:{number}"
        raise AssertionError(pattern)

    def run(self, *arguments: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([CTL, "check-pam", "--root", self.root, "--sshd-config",
                               self.sshd_config, *map(str, arguments)], text=True,
                              capture_output=True, timeout=LIMIT)

    def check(self, *arguments: Any) -> tuple[int, dict[str, dict[str, Any]]]:
        done = self.run("--json", *arguments)
        assert done.stderr == "", done.stderr
        reports = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, {r["service"]: r for r in reports}

    def one(self, service: str) -> dict[str, Any]:
        return self.check()[1][service]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def worst(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that make the verdict."""
    return [f for f in report["findings"] if f["verdict"] == report["verdict"]]


def test_debians_own_files(host: Host) -> None:
    status, found = host.check()
    assert status == 0
    assert {r["verdict"] for r in found.values()} == {"not protected"}
    assert set(NAMES) <= set(found) and not any(n.startswith("common-") for n in found)
    assert found["login"]["gives"] == "a shell" and found["sudo"]["gives"] == "root's rights"


def test_the_samples(host: Host) -> None:
    host.install(*NAMES)
    status, found = host.check()
    assert {n: found[n]["verdict"] for n in NAMES} == dict.fromkeys(NAMES, "protected"), found
    assert status == 0
    notes = [f["text"] for f in found["su"]["findings"]]
    assert notes and all("root itself is not asked" in n for n in notes)
    assert not found["sudo"]["findings"] and not found["login"]["findings"]
    text = host.run().stdout
    # Files of other packages on this host may include one of these.
    count = sum(report["verdict"] == "protected" for report in found.values())
    assert f"{count} protected" in text and "0 can be bypassed" in text


DESK = ("lightdm", "gdm-password", "sddm", "polkit-1", "cockpit", "vsftpd", "dovecot", "i3lock",
        "swaylock", "xsecurelock", "xscreensaver", "mate-screensaver", "cinnamon-screensaver",
        "kde")


def test_the_samples_of_the_desktop(host: Host) -> None:
    """Each is known, and protected by its sample; without it, check-pam names the sample."""
    for name in DESK:
        (host.pam / name).write_text("@include common-auth\n@include common-account\n")
    found = host.check()[1]
    for name in DESK:
        assert found[name]["verdict"] == "not protected" and found[name]["gives"] != "not known"
        assert f"{name}-devtrust" in found[name]["findings"][0]["write"]
    host.install(*DESK)
    found = host.check()[1]
    assert {n: found[n]["verdict"] for n in DESK} == dict.fromkeys(DESK, "protected"), found


@pytest.mark.parametrize("words", ["take_passcode", "socket=/run/x take_passcode",
                                   "take_passcode timeout=9"])
def test_what_takes_a_passcode_protects_nothing(host: Host, words: str) -> None:
    (host.pam / "vsftpd").write_text(f"auth required {OURS} {words}\n@include common-auth\n"
                                     "@include common-account\n")
    assert host.one("vsftpd")["verdict"] == "not protected"
    (host.pam / "vsftpd").write_text(f"auth required {OURS} {words}\n@include common-auth\n"
                                     f"auth required {OURS}\naccount required {OURS}\n"
                                     "@include common-account\n")
    assert host.one("vsftpd")["verdict"] == "protected"


def test_a_directorys_common_auth(host: Host) -> None:
    """As pam-auth-update writes it for sssd, LDAP and winbind."""
    host.install(*NAMES)
    (host.pam / "common-auth").write_text(
        "auth [success=4 default=ignore] pam_unix.so nullok\n"
        "auth [success=3 default=ignore] pam_sss.so use_first_pass\n"
        "auth [success=2 default=ignore] pam_ldap.so minimum_uid=1000 use_first_pass\n"
        "auth [success=1 default=ignore] pam_winbind.so krb5_auth cached_login try_first_pass\n"
        "auth requisite pam_deny.so\nauth required pam_permit.so\nauth optional pam_cap.so\n")
    status, found = host.check()
    assert status == 0 and found["sudo"]["verdict"] == "protected", found["sudo"]
    assert not found["sudo"]["findings"]


# Name: service, what is edited, the verdict, where, what is said.
Edit = tuple[str, Callable[[Host], None], str, Optional[Callable[[Host], str]], str]


def at(name: str, pattern: str) -> Callable[[Host], str]:
    return lambda host: host.line(name, pattern)


def edit(name: str, old: str, new: str) -> Callable[[Host], None]:
    return lambda host: host.edit(name, old, new)


def append(name: str, text: str) -> Callable[[Host], None]:
    return lambda host: (host.pam / name).write_text((host.pam / name).read_text() + text) and None


def write(name: str, text: str) -> Callable[[Host], None]:
    return lambda host: (host.pam / name).write_text(text) and None


AUTH = r"auth +required +pam_devtrust.so"
ACCOUNT = r"account +required +pam_devtrust.so"
SESSION = r"session +required +pam_devtrust.so"
BYPASS, BROKEN = "can be bypassed", "cannot work"

EDITS: dict[str, Edit] = {
    "a sufficient line before": (
        "sudo", edit("sudo", AUTH, f"auth sufficient pam_fprintd.so\nauth required {OURS}"),
        BYPASS, at("sudo", "fprintd"), "pam_fprintd.so ends the stack when it answers success"),
    "Fedora's include": (
        "sudo", lambda h: (write("system-auth", "auth sufficient pam_unix.so\n"
                                 "auth required pam_deny.so\n")(h),
                           edit("sudo", "@include common-auth", "auth include system-auth")(h))[0],
        BYPASS, at("system-auth", "unix"), "pam_unix.so ends the stack"),
    "a jump over": (
        "login", edit("login", AUTH,
                      f"auth [success=1 default=ignore] pam_succeed_if.so uid < 1000\n"
                      f"auth required {OURS}"),
        BYPASS, at("login", "succeed_if"), "jumps over"),
    "a jump of the include": (
        "sudo", lambda h: (edit("common-auth", "success=1", "success=4")(h),
                           edit("sudo", AUTH,
                                f"auth required {OURS}\nauth required pam_env.so")(h))[0],
        BYPASS, at("common-auth", "unix"), "jumps over"),
    "optional": ("login", edit("login", AUTH, f"auth optional {OURS}"), BYPASS,
                 at("login", "optional +pam_devtrust"), "lets its refusal"),
    "sufficient, last but one": (
        "login", edit("login", AUTH, f"auth sufficient {OURS}"), BYPASS,
        at("login", "sufficient +pam_devtrust"), "lets its refusal"),
    "sufficient, first": (
        "login", lambda h: (edit("login", AUTH, "")(h),
                            edit("login", "@include common-auth",
                                 f"auth sufficient {OURS}\n@include common-auth")(h))[0],
        BYPASS, at("login", "sufficient +pam_devtrust"), "ends the stack, and the lines after it"),
    "a module that is missing is ignored": (
        "login", edit("login", AUTH, f"auth [success=ok module_unknown=ignore default=bad] {OURS}"),
        BYPASS, at("login", "module_unknown=ignore default=bad] pam_devtrust"), "module_unknown"),
    "a word of the control misspelt as ignore": (
        "login", edit("login", AUTH,
                      f"auth [success=ok authinfo_unavail=ignore default=die] {OURS}"),
        BYPASS, at("login", "authinfo_unavail"), "authinfo_unavail"),
    "the refusal is reset": (
        "login", edit("login", AUTH, f"auth required {OURS}\nauth [default=reset] pam_echo.so\n"
                      "auth required pam_permit.so"),
        BYPASS, at("login", "pam_echo"), "forgets the refusal"),
    "account after common-account": (
        "login", lambda h: (edit("login", ACCOUNT + "\n", "")(h),
                            edit("login", "@include common-account",
                                 f"@include common-account\naccount required {OURS}")(h))[0],
        BYPASS, at("common-account", "unix"), "new_authtok_reqd"),
    "no account line": (
        "login", edit("login", ACCOUNT, ""), BYPASS, None, "login -f"),
    "account optional": (
        "login", edit("login", ACCOUNT, f"account optional {OURS}"), BYPASS,
        at("login", "account optional pam_devtrust"), "lets its refusal"),
    "account line of sudo": (
        "sudo", edit("sudo", "@include common-account",
                     f"account required {OURS}\n@include common-account"),
        BROKEN, at("sudo", "account required"), "at every command"),
    "a password line": (
        "login", append("login", f"password required {OURS}\n"), BROKEN,
        at("login", "password required"), "changes no passwords"),
    "nobody can get in": (
        "login", edit("login", AUTH, f"auth required {OURS}\nauth required pam_deny.so"),
        BROKEN, at("login", AUTH), "nobody gets in"),
    "an include that is not there": (
        "login", edit("login", "@include common-auth", "@include common-nothing"), BROKEN,
        at("login", "common-nothing"), "cannot be read"),
    "a variant without the lines": (
        "sudo-i", lambda h: shutil.copy("/etc/pam.d/sudo-i", h.pam / "sudo-i") and None, BYPASS,
        None, "another way to call"),
    "su's variant that does not include su": (
        "su-l", write("su-l", "@include common-auth\n@include common-account\n"), BYPASS, None,
        "another way to call"),
    "remote beside login": (
        "remote", write("remote", "@include common-auth\n@include common-account\n"), BYPASS, None,
        "another way to call"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits(host: Host, name: str) -> None:
    service, change, verdict, where, said = EDITS[name]
    host.install(*NAMES)
    assert host.one(service)["verdict"] == "protected" if service in NAMES else True
    change(host)
    status, found = host.check()
    report = found[service]
    assert (status, report["verdict"]) == (1, verdict), report
    fits = [f for f in worst(report) if said in f["text"]]
    assert fits, report
    if where is not None:
        assert [f for f in fits if f["place"] == where(host)], report
    assert all(f["write"] for f in fits) or name.startswith(("nobody", "an include")), report


def test_following_the_advice_works(host: Host) -> None:
    """Fedora's files: substack instead of include."""
    host.install("sudo")
    (host.pam / "system-auth").write_text("auth sufficient pam_unix.so\n"
                                          "auth required pam_deny.so\n")
    host.edit("sudo", "@include common-auth", "auth include system-auth")
    assert host.one("sudo")["verdict"] == BYPASS
    host.edit("sudo", "auth include system-auth", "auth substack system-auth")
    assert host.one("sudo")["verdict"] == "protected"


def test_wrong_password_with_a_push(host: Host) -> None:
    host.install("login")
    host.edit("login", "@include common-auth", "auth required pam_unix.so")
    notes = host.one("login")["findings"]
    assert [n for n in notes if "wrong password" in n["text"]
            and n["place"] == host.line("login", AUTH)], notes
    host.edit("login", "auth required pam_unix.so", "auth requisite pam_unix.so")
    assert not host.one("login")["findings"]


def test_every_way_is_told(host: Host) -> None:
    host.install("login")
    host.edit("login", AUTH, "auth sufficient pam_a.so\nauth sufficient pam_b.so\n"
              "auth [success=1 default=ignore] pam_c.so\n" + f"auth required {OURS}")
    report = host.one("login")
    named = {re.split("[ ,]", f["text"])[1] for f in worst(report)}
    assert named == {"pam_a.so", "pam_b.so", "pam_c.so"}
    by = [f["by"] for f in worst(report) if "pam_b.so" in f["text"]]
    assert by and by[0].endswith("pam_b.so success")


def test_kinds_that_other_has(host: Host) -> None:
    """A service without account lines has those of "other"."""
    (host.pam / "login").write_text(f"@include common-auth\nauth required {OURS}\n")
    (host.pam / "other").write_text(f"account required {OURS}\n")
    assert host.one("login")["verdict"] == "protected"
    (host.pam / "other").write_text("account required pam_permit.so\n")
    assert host.one("login")["verdict"] == BYPASS


def test_pam_conf(host: Host) -> None:
    """Where there is no pam.d."""
    shutil.rmtree(host.pam)
    shutil.rmtree(host.root / "usr", ignore_errors=True)
    (host.root / "etc" / "pam.conf").write_text(
        "login auth required pam_unix.so\nlogin auth sufficient pam_x.so\n"
        f"login auth required {OURS}\n"
        f"LOGIN account required {OURS}\nsu auth required pam_unix.so\n")
    _, found = host.check()
    assert found["login"]["verdict"] == BYPASS and found["su"]["verdict"] == "not protected"
    assert worst(found["login"])[0]["place"] == "/etc/pam.conf:2"


def test_lines_that_go_on_and_comments(host: Host) -> None:
    host.install("login")
    host.edit("login", AUTH, "# auth sufficient pam_a.so\n"
              "auth \\\n  sufficient \\\n pam_b.so # no\n"
              f"AUTH required {OURS}")
    report = host.one("login")
    assert [f["place"] for f in worst(report)] == [host.line("login", r"^auth \\$")]


# --- sshd ----------------------------------------------------------------------------------------

SSHD: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "no keyboard-interactive": (("KbdInteractiveAuthentication no",), BROKEN, "",
                                'Disabled method "keyboard-interactive'),
    "nothing but keys": (("KbdInteractiveAuthentication no", "AuthenticationMethods any"), BROKEN,
                         "any (publickey)", "only the account lines"),
    "no PAM": (("UsePAM no",), BYPASS, "UsePAM no", "does not ask PAM"),
    "key alone": (("AuthenticationMethods publickey",), BROKEN, "(publickey)", "no key"),
    "key or conversation": (("AuthenticationMethods publickey keyboard-interactive:pam",), BROKEN,
                            "(publickey)", "only the account lines"),
    "any": (("AuthenticationMethods any",), BROKEN, "any (publickey)", "only the account lines"),
    "a password": (("AuthenticationMethods publickey,password", "PasswordAuthentication yes"),
                   BROKEN, "(publickey,password)", "shows no prompt"),
    "Kerberos": (("AuthenticationMethods gssapi-with-mic publickey,keyboard-interactive",
                  "GSSAPIAuthentication yes"), BROKEN, "(gssapi-with-mic)",
                 "only the account lines"),
    "the other host": (("AuthenticationMethods hostbased publickey,keyboard-interactive",
                        "HostbasedAuthentication yes"), BROKEN, "(hostbased)", "account lines"),
    "root": (("PermitRootLogin prohibit-password",), BROKEN, "PermitRootLogin prohibit-password",
             "root approves a push"),
    "root's commands": (("PermitRootLogin forced-commands-only",), BROKEN,
                        "PermitRootLogin forced-commands-only", "root approves a push"),
    "a short time": (("LoginGraceTime 30",), BROKEN, "LoginGraceTime", "before wait_pam"),
    "for some": (("KbdInteractiveAuthentication yes", "Match User nobody",
                  "AuthenticationMethods publickey", "Match all"), BROKEN, "(publickey)", "no key"),
}
KEYS = ("AuthenticationMethods publickey",)
# With the session line: what sshd is told, what is edited, the verdict, where, what is said.
PROGRAMS: dict[str, tuple[tuple[str, ...], Optional[tuple[str, str]], str, str, str]] = {
    "key alone": (KEYS, None, "protected", "", ""),
    "nothing but keys": (("KbdInteractiveAuthentication no", "AuthenticationMethods any"), None,
                         "protected", "", ""),
    "no account line": (KEYS, (ACCOUNT, ""), "protected", "", ""),
    "requisite": (KEYS, (SESSION, f"session requisite {OURS}"), "protected", "", ""),
    "root by key": ((*KEYS, "PermitRootLogin prohibit-password"), None, "protected", "", ""),
    "missing": (KEYS, (SESSION, ""), BROKEN, "(publickey)", "no key"),
    "missing, and no account line": (KEYS, (f"(?s){ACCOUNT}(.*){SESSION}", r"\1"), BYPASS,
                                     "(publickey)", "no account or session line"),
    "optional": (KEYS, (SESSION, f"session optional {OURS}"), BYPASS, "sshd:", "lets its refusal"),
    "sufficient": (KEYS, (SESSION, f"session sufficient {OURS}"), BYPASS, "sshd:", "lines after"),
    "ignored where it is missing": (
        KEYS, (SESSION, f"session [success=ok module_unknown=ignore default=bad] {OURS}"), BYPASS,
        "sshd:", "module_unknown"),
    "after what ends the stack": (
        KEYS, (SESSION, f"session sufficient pam_x.so\nsession required {OURS}"), BYPASS, "sshd:",
        "ends the stack"),
    "jumped over": (
        KEYS, (SESSION, f"session [success=1 default=ignore] pam_x.so\nsession required {OURS}"),
        BYPASS, "sshd:", "jumps over"),
    "forgotten": (
        KEYS, (SESSION, f"session required {OURS}\nsession [default=reset] pam_x.so"), BYPASS,
        "sshd:", "forgets"),
    "after people's own environment": (
        KEYS, (SESSION, f"session required pam_env.so user_readenv=1\nsession required {OURS}"),
        BYPASS, "sshd:", "SSH_AUTH_INFO_0"),
    "not the first": (KEYS, (SESSION, f"session required pam_env.so\nsession required {OURS}"),
                      BROKEN, "(publickey)", "passes nothing to it"),
    "key or conversation": (("AuthenticationMethods publickey publickey,keyboard-interactive:pam",),
                            None, BROKEN, "(publickey)", "logs in this way"),
    "tunnels": ((*KEYS, "PermitTunnel point-to-point"), None, BYPASS, "PermitTunnel", "ssh -w"),
    "no key": (("AuthenticationMethods gssapi-with-mic", "GSSAPIAuthentication yes"), None, BROKEN,
               "(gssapi-with-mic)", "they see no key"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_sshd_for_programs(host: Host, name: str) -> None:
    lines, edited, verdict, place, said = PROGRAMS[name]
    host.install("sshd")
    host.sshd(*lines)
    if edited:
        host.edit("sshd", *edited)
    report = host.one("sshd")
    assert report["verdict"] == verdict, report
    fits = [f for f in worst(report) if said in f["text"] and place in f["place"]
            or place == "sshd:" and "/etc/pam.d/sshd:" in f["place"] and said in f["text"]]
    assert verdict == "protected" or fits and all(f["write"] for f in fits), report


def test_the_drop_in_for_programs(host: Host) -> None:
    """As it is shipped: who is in its group comes by key alone."""
    host.install("sshd")
    sample = (ROOT / "conf" / "sshd" / "devtrust-programs.conf").read_text()
    assert "Match Group devtrust-programs\n" in sample
    host.sshd(*sample.replace("Group devtrust-programs", "Group daemon").splitlines(), "Match all")
    notes = [f["text"] for f in host.check("--user", "daemon")[1]["sshd"]["findings"]]
    assert any("nobody can be asked" in n for n in notes), notes
    assert host.check("--user", "daemon")[1]["sshd"]["verdict"] == "protected"
    assert not host.one("sshd")["findings"]


FINE: dict[str, tuple[str, ...]] = {
    "the drop-in": (),
    "no root": ("PermitRootLogin no",),
    "a method that is off": (
        "AuthenticationMethods gssapi-with-mic publickey,keyboard-interactive",),
    "a conversation alone": ("AuthenticationMethods keyboard-interactive:pam",),
    "no limit": ("LoginGraceTime 0",),
}


@pytest.mark.parametrize("name", SSHD)
def test_sshd(host: Host, name: str) -> None:
    """Without a session line, as the sample once was."""
    lines, verdict, place, said = SSHD[name]
    host.install("sshd")
    host.edit("sshd", SESSION, "")
    host.sshd(*lines)
    status, found = host.check()
    report = found["sshd"]
    assert (status, report["verdict"]) == (1, verdict), report
    fits = [f for f in worst(report) if said in f["text"] and place in f["place"]]
    assert fits and all(f["write"] for f in fits), report
    assert host.check("--no-sshd")[1]["sshd"]["verdict"] == "protected"


@pytest.mark.parametrize("name", FINE)
def test_sshd_that_works(host: Host, name: str) -> None:
    host.install("sshd")
    host.sshd(*FINE[name])
    assert host.one("sshd")["verdict"] == "protected", host.one("sshd")


def test_debians_default_of_sshd(host: Host) -> None:
    """The PAM sample alone, without the drop-in for sshd."""
    host.install("sshd")
    host.sshd("UsePAM yes", "KbdInteractiveAuthentication no", drop_in=False)
    assert any("any (password)" in f["place"] for f in worst(host.one("sshd")))
    host.edit("sshd", SESSION, "")
    places = [f["place"] for f in worst(host.one("sshd"))]
    assert any("any (publickey)" in p for p in places)
    assert any("any (password)" in p for p in places)
    host.edit("sshd", ACCOUNT, "")
    report = host.one("sshd")
    assert report["verdict"] == BYPASS and any("any (publickey)" in f["place"]
                                               for f in worst(report)), report


def test_match_of_one_user(host: Host) -> None:
    host.install("sshd")
    host.edit("sshd", SESSION, "")
    host.sshd("Match User daemon", "AuthenticationMethods publickey", "Match all")
    assert host.one("sshd")["verdict"] == "protected"
    assert host.check("--user", "daemon")[1]["sshd"]["verdict"] == BROKEN


def test_sshd_that_cannot_be_asked(host: Host) -> None:
    host.install("sshd")
    host.sshd("Nonsense yes")
    report = host.one("sshd")
    assert report["verdict"] == BROKEN and "Nonsense" in worst(report)[0]["text"], report
    assert host.check("--sshd", "/nowhere/sshd")[1]["sshd"]["verdict"] == BROKEN


# --- sudo and login ------------------------------------------------------------------------------

@pytest.mark.parametrize("text,verdict", [
    ("ann ALL=(ALL) NOPASSWD: ALL\n", BYPASS),
    ("Defaults:ann !authenticate\n", BYPASS),
    ("Defaults exempt_group = wheel\n", BYPASS),
    ("Defaults targetpw\n", "protected"),
    ("# ann ALL=(ALL) NOPASSWD: ALL\n", "protected"),
])
@pytest.mark.parametrize("place", ["sudoers", "sudoers.d/90-cloud", "sudoers.d/old~",
                                   "sudoers.d/x.bak"])
def test_sudoers(host: Host, place: str, text: str, verdict: str) -> None:
    host.install("sudo", "sudo-i")
    (host.root / "etc" / place).write_text("Defaults env_reset\n\n" + text)
    read = not place.endswith(("~", ".bak"))
    report = host.one("sudo")
    assert report["verdict"] == (verdict if read else "protected"), report
    if verdict == BYPASS and read:
        assert worst(report)[0]["place"] == f"/etc/{place}:3"


def test_time_of_login(host: Host) -> None:
    host.install("login")
    (host.root / "etc" / "login.defs").write_text("# LOGIN_TIMEOUT 3\nLOGIN_TIMEOUT\t\t60\n")
    assert host.one("login")["verdict"] == "protected"
    (host.root / "etc" / "login.defs").write_text("\nLOGIN_TIMEOUT 30\n")
    report = host.one("login")
    assert report["verdict"] == BROKEN and worst(report)[0]["place"] == "/etc/login.defs:2"


# --- the command ---------------------------------------------------------------------------------

def test_one_service(host: Host) -> None:
    host.install("sudo")
    assert set(host.check("sudo")[1]) == {"sudo"}
    assert host.check("login")[0] == 0
    assert host.check("sudo-i")[0] == 1
    done = host.run("nothing")
    assert done.returncode == 2 and "nothing" in done.stderr
    assert host.run("sudo", "login").returncode == 2


def test_files_left_behind_are_no_services(host: Host) -> None:
    for name in ("sudo~", "sudo.dpkg-old", ".sudo.swp", "SUDO", "login.rpmnew"):
        (host.pam / name).write_text("auth required pam_permit.so\n")
    assert set(host.check()[1]) & {"sudo~", "sudo.dpkg-old", ".sudo.swp", "SUDO",
                                   "login.rpmnew"} == set()


def test_hostile_names_are_harmless(host: Host) -> None:
    host.install("login")
    host.edit("login", AUTH, "auth sufficient pam_\x1b[31m\u202e.so\n" + f"auth required {OURS}")
    text = host.run().stdout
    assert "\x1b" not in text and "\u202e" not in text and BYPASS in text


def test_no_files(tmp_path: Path) -> None:
    done = subprocess.run([CTL, "check-pam", "--root", tmp_path], text=True, capture_output=True)
    assert done.returncode == 2 and "pam.conf" in done.stderr


def test_include_that_has_no_end(host: Host) -> None:
    host.install("login")
    (host.pam / "common-auth").write_text("@include common-auth\n")
    assert host.one("login")["verdict"] == BROKEN
    (host.pam / "common-auth").write_text("auth include common-auth\n")
    assert host.one("login")["verdict"] == BROKEN


def test_a_stack_of_many_jumps_ends(host: Host) -> None:
    host.install("login")
    lines = "".join(f"auth [success={1 + i % 7} auth_err=reset default=ignore] pam_{i}.so\n"
                    for i in range(300))
    host.edit("login", AUTH, lines + f"auth required {OURS}")
    assert host.one("login")["verdict"] == BYPASS


def test_everybody_may_ask() -> None:
    """But for what sshd tells root alone."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        host = Host(Path(made))
        host.install(*NAMES)
        ctl = shutil.copy(CTL, made)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               ctl, "check-pam", "--no-sshd", "--root", host.root], text=True,
                              capture_output=True, timeout=LIMIT)
        # Others may include one of these, as Debian's i3lock and swaylock include login.
        count = re.search(r"(\d+) protected,", done.stdout)
        assert count and int(count[1]) >= len(NAMES), done.stdout + done.stderr
