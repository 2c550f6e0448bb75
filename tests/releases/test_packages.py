# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of each release: built twice, checked, installed, upgraded, removed, purged."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from tests.lib.release_root import Root
from tests.releases.conftest import newer

ALL = {"devtrust-common", "libpam-devtrust", "devtrust-signals", "devtrustctl",
       "freeradius-devtrust"}
PAM_SIDE = ["devtrust-common", "libpam-devtrust", "devtrustctl"]


def debs(packages: Path) -> dict[str, Path]:
    return {deb.name.split("_")[0]: deb for deb in packages.glob("*.deb")
            if "dbgsym" not in deb.name}


def give(root: Root, packages: Path, names: list[str]) -> str:
    """Puts packages into the root; returns their paths there, for apt."""
    paths = []
    for name in names:
        deb = debs(packages)[name]
        root.copy_in(deb, f"/var/tmp/debs/{deb.name}")
        paths.append(f"/var/tmp/debs/{deb.name}")
    return " ".join(paths)


def digests(folder: Path) -> dict[str, str]:
    return {deb.name: hashlib.sha256(deb.read_bytes()).hexdigest()
            for deb in folder.glob("*.deb")}


def pam_files(root: Root) -> str:
    return root.run("cd /etc && sha256sum pam.d/* pam.conf nsswitch.conf", check=False,
                    quiet=True).stdout


def test_built_twice_same_bytes(built: Callable[[int], Path]) -> None:
    """In another folder, at another time, in another time zone, with another umask."""
    first, second = digests(built(1)), digests(built(2))
    assert set(debs(built(1))) == ALL
    assert first == second


def test_lintian_has_nothing_to_say(workshop: Root, packages: Path) -> None:
    for file in packages.iterdir():
        workshop.copy_in(file, f"/tmp/out/{file.name}")
    said = workshop.run("lintian --fail-on none -i --tag-display-limit 0 --allow-root "
                        "/tmp/out/*.changes")
    assert not re.findall(r"^[EW]: .*", said.stdout, re.MULTILINE)


def test_the_apparmor_profile_is_read(packages: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", debs(packages)["libpam-devtrust"], tmp_path], check=True)
    subprocess.run(["apparmor_parser", "-Q", "-T", "-W",
                    tmp_path / "etc/apparmor.d/usr.sbin.devtrustd"], check=True)


def test_the_units_are_read(host: Root, packages: Path) -> None:
    host.apt("install " + give(host, packages, PAM_SIDE))
    said = host.run("systemd-analyze verify --man=no devtrustd.service devtrustd.socket "
                    "devtrustd-lock-screen.socket").stdout
    assert "devtrust" not in said
    host.run("systemd-analyze security --no-pager devtrustd.service | tail -n 1")


def test_a_host_for_ssh(host: Root, packages: Path) -> None:
    """Nothing of PAM has changed, and the daemon is there as soon as somebody asks it."""
    before = pam_files(host)
    host.apt("install " + give(host, packages, PAM_SIDE))
    assert pam_files(host) == before
    assert not re.search("radius", host.run("dpkg-query -W -f '${Package}\\n'", quiet=True).stdout)
    host.run("systemctl is-active devtrustd.socket && systemctl is-enabled devtrustd.socket")
    assert host.run("systemctl is-active devtrustd.service", check=False).stdout == "inactive\n"
    assert host.run("stat -c '%U:%G %a' /run/devtrust/devtrustd.sock /var/lib/devtrust "
                    "/var/log/devtrust /etc/devtrust/devtrust.conf").stdout.split("\n")[:4] == \
        ["root:root 600", "devtrust:devtrust 700", "devtrust:devtrust 750", "root:root 644"]
    host.run("logrotate --debug /etc/logrotate.d/devtrust")
    host.run("bash -n /usr/share/bash-completion/completions/devtrustctl")
    # By the module, with the sample configuration: refused, in words, and nothing else.
    host.run("printf 'auth required pam_devtrust.so\\naccount required pam_devtrust.so\\n' "
             ">/etc/pam.d/su; useradd ann; passwd -d ann")
    refused = host.run("runuser -u ann -- su -c true root", check=False)
    assert refused.returncode != 0
    host.run("journalctl --no-pager | grep devtrust")


def test_a_host_that_hears_signals(host: Root, packages: Path) -> None:
    """A user of its own, who reads nothing of devtrust's; not started before it is configured."""
    host.apt("install " + give(host, packages, ["devtrust-common", "devtrust-signals"]))
    assert host.run("stat -c '%U:%G %a' /run/devtrust-signals").stdout == \
        "devtrust-signals:devtrust-news 2750\n"
    assert host.run("systemctl is-active devtrust-signals.service",
                    check=False).stdout == "inactive\n"
    said = host.run("systemd-analyze verify --man=no devtrust-signals.service").stdout
    assert "devtrust" not in said
    assert "devtrust-news" in host.run("id -nG devtrust").stdout
    assert host.run("id -nG devtrust-signals").stdout == "devtrust-signals\n"
    said = host.run("devtrust-signals --foreground 2>&1", check=False)
    assert said.returncode == 1 and "devtrust.conf" in said.stdout
    host.apt("purge devtrust-signals")
    assert host.run("test -e /run/devtrust-signals", check=False).returncode != 0


def test_completion_follows_the_help(host: Root, packages: Path) -> None:
    host.apt("install " + give(host, packages, PAM_SIDE))

    def complete(*words: str) -> set[str]:
        typed = " ".join(f"'{word}'" for word in words)
        script = (". /usr/share/bash-completion/completions/devtrustctl; compopt() { :; }; "
                  f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _devtrustctl; "
                  "echo \"${COMPREPLY[@]}\"")
        return set(host.run(script, quiet=True).stdout.split())

    assert {"check-config", "check-pam"} == complete("devtrustctl", "check-")
    assert {"explain", "policy", "device", "log"} <= complete("devtrustctl", "")
    assert "--assume-proof" in complete("devtrustctl", "explain", "--a")
    assert {"import", "prove", "test"} <= complete("devtrustctl", "policy", "")
    host.run("touch /etc/devtrust/policies/vpn.json /etc/devtrust/policies/vpn.cases.json")
    assert complete("devtrustctl", "explain", "--application", "") == {"vpn"}
    assert "TRUSTED" in complete("devtrustctl", "explain", "--device-trust", "")


@pytest.mark.parametrize("named", [True, False])
def test_remove_warns_where_pam_names_the_module(host: Root, packages: Path, named: bool) -> None:
    host.apt("install " + give(host, packages, PAM_SIDE))
    if named:
        host.run("echo 'auth required pam_devtrust.so' >/etc/pam.d/vlock")
    host.run("echo '# pam_devtrust.so was here' >/etc/pam.d/other-service")
    said = host.apt("remove libpam-devtrust").stdout
    assert ("WARNING" in said and "/etc/pam.d/vlock" in said) == named
    assert "other-service" not in said
    host.run("! systemctl -q is-active devtrustd.socket && ! test -e /usr/sbin/devtrustd")
    host.run("test -d /etc/devtrust && test -d /var/lib/devtrust")
    host.apt("purge libpam-devtrust devtrust-common")
    left = host.run("find /etc /usr /var/lib /var/log /run -name '*devtrust*' "
                    "! -path '/etc/apt/*' ! -path '/etc/dpkg/*' ! -path '/var/lib/apt/*'").stdout
    assert left.split() == []


def test_a_server_with_freeradius(host: Root, packages: Path) -> None:
    host.apt("install " + give(host, packages, ["devtrust-common", "freeradius-devtrust"]))
    version = host.run("dpkg-query -W -f '${Version}' freeradius", quiet=True).stdout
    depends = host.run("dpkg-query -W -f '${Depends}' freeradius-devtrust", quiet=True).stdout
    assert f"freeradius (= {version})" in depends
    assert host.run("stat -c '%U:%G %a' /var/lib/devtrust-radius /var/log/devtrust-radius"
                    ).stdout.split("\n")[:2] == ["freerad:freerad 700", "freerad:freerad 750"]
    host.run("logrotate --debug /etc/logrotate.d/devtrust-radius")
    host.run("cp /usr/share/devtrust/raddb/mods-available/devtrust "
             "/etc/freeradius/3.0/mods-available/ && ln -s ../mods-available/devtrust "
             "/etc/freeradius/3.0/mods-enabled/")
    # The module is loaded, and says what is wrong with a configuration that is not there.
    said = host.run("freeradius -XC", check=False)
    assert said.returncode != 0 and "/etc/devtrust/radius.conf" in said.stdout
    assert "undefined symbol" not in said.stdout and "magic" not in said.stdout
    said = host.apt("remove freeradius-devtrust").stdout
    assert "WARNING" in said and "mods-enabled/devtrust" in said
    host.apt("purge freeradius-devtrust")
    host.run("! ls -d /var/lib/devtrust-radius || ! ls -d /var/log/devtrust-radius")


UPDATE = """
mkdir /var/tmp/repo && cd /var/tmp/repo
dpkg-deb -R /var/cache/apt/archives/freeradius_*.deb tree
sed -i 's/^Version: .*/&.1/' tree/DEBIAN/control
dpkg-deb -b tree freeradius.deb
rm -r tree
{
    dpkg-deb --field freeradius.deb
    echo "Filename: ./freeradius.deb"
    echo "Size: $(stat -c %s freeradius.deb)"
    echo "SHA256: $(sha256sum freeradius.deb | cut -d ' ' -f 1)"
} >Packages
echo 'deb [trusted=yes] file:/var/tmp/repo ./' >/etc/apt/sources.list
apt-get -q update
"""


def test_a_server_that_does_not_fit_is_held_back(host: Root, packages: Path) -> None:
    """An update of the server, as a security archive would have it."""
    host.apt("install " + give(host, packages, ["devtrust-common", "freeradius-devtrust"]))
    host.run(UPDATE)
    said = host.run("apt-get -y upgrade").stdout
    assert re.search(r"kept back:\s+freeradius\n", said)
    said = host.run("dpkg --install /var/tmp/repo/freeradius.deb", check=False)
    assert said.returncode != 0
    assert re.search(r"freeradius-devtrust \(.*\) breaks freeradius", said.stdout)


def test_upgrade(host: Root, packages: Path, tmp_path: Path) -> None:
    """What was set stays."""
    host.apt("install " + give(host, packages, PAM_SIDE))
    host.run("echo '# ours' >>/etc/devtrust/devtrust.conf; "
             "echo secret >/etc/devtrust/okta.token; touch /var/lib/devtrust/state.db")
    host.apt("install " + give(host, newer(packages, tmp_path / "newer"), PAM_SIDE))
    host.run("tail -n 1 /etc/devtrust/devtrust.conf | grep -x '# ours'")
    host.run("test -f /etc/devtrust/okta.token && test -f /var/lib/devtrust/state.db && "
             "systemctl is-active devtrustd.socket")
