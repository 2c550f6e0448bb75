# SPDX-License-Identifier: GPL-2.0-or-later
# FreeRADIUS with Debian's whole configuration, copied: as administrators have it before they
# install devtrust, and, with the samples, after they did what INSTALL.md says.
"""Debian's FreeRADIUS for tests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Mapping, Sequence

from tests.lib import radius as rad

RADDB = Path("/etc/freeradius/3.0")


def replaced(text: str, *edits: tuple[str, str]) -> str:
    """The text with these patterns replaced, each of which must be there."""
    for pattern, new in edits:
        text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
        assert count, f"{pattern} is not there"
    return text


class Stock(rad.Radius):
    """`enabled` are the samples that are enabled, by file name; without any Debian's own site
    answers. `loaded` are modules beside Debian's (name -> text)."""

    def __init__(self, directory: Path, site: Any, *, enabled: Sequence[str] = (),
                 loaded: Mapping[str, str] = {}, users_text: str = "") -> None:
        self.enabled, self.loaded = enabled, loaded
        super().__init__(directory, site, users_text=users_text)

    def _edit(self, name: str, *edits: tuple[str, str]) -> None:
        path = self.directory / name
        path.write_text(replaced(path.read_text(), *edits))

    def _write(self) -> None:
        shutil.copytree(RADDB, self.directory, symlinks=True, dirs_exist_ok=True)
        here = str(self.directory)
        self._edit("radiusd.conf", (r"^libdir = .*", f"libdir = {rad.BUILD}:{rad.MODULES}"),
                   *((rf"^{name} = .*", f"{name} = {here}")
                     for name in ("raddbdir", "logdir", "run_dir", "db_dir", "radacctdir")),
                   (r"^\tuser = .*\n", ""), (r"^\tgroup = .*\n", ""),
                   (r"^max_request_time = 30", "max_request_time = 65"))
        self._edit("clients.conf", (r"^\tsecret = testing123$",
                                    f"\tsecret = {rad.SECRET.decode()}"))
        self._edit("sites-available/inner-tunnel", (r"port = 18120",
                                                    f"port = {rad.free_port()}"))
        self._own_site()
        self._certificates()
        self._own_eap()
        users = self.directory / "mods-config/files/authorize"
        users.write_text(self.users_text + users.read_text())
        for name, text in self.loaded.items():
            self._put("mods-enabled/" + name, text)
        if self.enabled:
            self._install()

    def _own_site(self) -> None:
        """Debian's site, on ports of its own."""
        path = self.directory / "sites-available/default"
        text = path.read_text()
        for port in (self.vpn_port, self.vpn_accounting_port, rad.free_port(), rad.free_port()):
            text = re.sub(r"^\tport = 0$", f"\tport = {port}", text, count=1, flags=re.MULTILINE)
        path.write_text(replaced(text, (r"^\tipaddr = \*", "\tipaddr = 127.0.0.1"),
                                 (r"^\tipv6addr = ::(?!\S)", "\tipv6addr = ::1")))

    def _own_eap(self) -> None:
        certs = self.directory / "certs"
        self._edit("mods-available/eap",
                   (r"private_key_file = /etc/.*", f"private_key_file = {certs}/radius-server.key"),
                   (r"certificate_file = /etc/.*", f"certificate_file = {certs}/radius-server.pem"),
                   (r"ca_file = /etc/.*", f"ca_file = {certs}/eap-ca.pem"))

    def _install(self) -> None:
        """As INSTALL.md says: the samples beside Debian's files, and links to enabled ones."""
        (self.directory / "sites-enabled/default").unlink()
        before = {kind: set((self.directory / f"{kind}-enabled").iterdir())
                  for kind in ("mods", "sites")}
        self._samples()
        for kind, names in before.items():
            for path in set((self.directory / f"{kind}-enabled").iterdir()) - names:
                path.rename(self.directory / f"{kind}-available" / path.name)
                if path.name in self.enabled:
                    path.symlink_to(f"../{kind}-available/{path.name}")
