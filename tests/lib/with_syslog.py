#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command on a host that has a syslog: with a /dev/log in a mount namespace of its own.

The suite must pass on hosts with and without one. What is sent there is read and thrown away.

usage (as root): tests/lib/with_syslog.py COMMAND [ARG...]
"""

import ctypes
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

CLONE_NEWNS = 0x00020000
MESSAGE_MAX = 1 << 16


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def private_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("--make-rprivate", "/")


def cover_dev(work):
    """A /dev of this namespace alone, with everything that the machine's has."""
    mount("-t", "tmpfs", "-o", "mode=755", "devtrust-dev", work)
    for entry in pathlib.Path("/dev").iterdir():
        ours = work / entry.name
        if entry.is_symlink():
            ours.symlink_to(os.readlink(entry))
        elif entry.name not in ("log", "pts", "ptmx"):
            ours.mkdir() if entry.is_dir() else ours.touch()
            mount("--rbind", entry, ours)
    # The kernel looks for the terminals beside the ptmx that is opened.
    (work / "pts").mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=666,mode=620,gid=5", "devpts", work / "pts")
    (work / "ptmx").symlink_to("pts/ptmx")
    mount("--rbind", work, "/dev")


def drain(log):
    while True:
        log.recv(MESSAGE_MAX)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    private_mounts()
    with tempfile.TemporaryDirectory(prefix="devtrust-dev-") as work:
        cover_dev(pathlib.Path(work))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind("/dev/log")
            os.chmod("/dev/log", 0o666)
            threading.Thread(target=drain, args=(log,), daemon=True).start()
            status = subprocess.run(sys.argv[1:]).returncode
        subprocess.run(["umount", "-l", "/dev", work], check=True)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
