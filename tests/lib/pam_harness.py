#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# A PAM application for tests: one login through libpam, told line by line in JSON on standard
# output; what a person would type comes line by line on standard input.
"""Logs in by PAM: pam_harness.py --service NAME --user NAME [...]"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
from typing import Any

ITEMS = {"service": 1, "user": 2, "tty": 3, "rhost": 4, "ruser": 8}
STYLES = {1: "prompt", 2: "prompt", 3: "error", 4: "info"}
NAMES = {0: "SUCCESS", 1: "OPEN_ERR", 3: "SERVICE_ERR", 4: "SYSTEM_ERR", 5: "BUF_ERR",
         6: "PERM_DENIED", 7: "AUTH_ERR", 8: "CRED_INSUFFICIENT", 9: "AUTHINFO_UNAVAIL",
         10: "USER_UNKNOWN", 11: "MAXTRIES", 19: "CONV_ERR", 20: "AUTHTOK_ERR", 25: "IGNORE",
         26: "ABORT", 28: "MODULE_UNKNOWN", 31: "INCOMPLETE"}
CONV_ERR = 19
SILENT = 0x8000
ESTABLISH_CRED = 2

libc = ctypes.CDLL("libc.so.6")
libc.calloc.restype = ctypes.c_void_p
libc.strdup.restype = ctypes.c_void_p
pam = ctypes.CDLL("libpam.so.0")


class Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


CONVERSE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int,
                            ctypes.POINTER(ctypes.POINTER(Message)),
                            ctypes.POINTER(ctypes.POINTER(Response)), ctypes.c_void_p)


# libpam calls this in place of waiting 2 to 3 seconds after a refusal.
FAIL_DELAY = 10
no_delay = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)(lambda *_: None)


class Conversation(ctypes.Structure):
    _fields_ = [("converse", CONVERSE), ("data", ctypes.c_void_p)]


def tell(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def converse_with(options: argparse.Namespace) -> Any:
    def converse(count: int, messages: Any, responses: Any, _: Any) -> int:
        made = ctypes.cast(libc.calloc(count, ctypes.sizeof(Response)),
                           ctypes.POINTER(Response))
        for i in range(count):
            message = messages[i].contents
            text = (message.text or b"").decode(errors="replace")
            kind = STYLES[message.style]
            if kind != "prompt":
                tell(message=text, kind=kind)
                continue
            tell(prompt=text, echo=message.style == 2)
            if options.no_conversation:
                return CONV_ERR
            line = sys.stdin.readline()
            if not line:
                return CONV_ERR
            made[i].text = libc.strdup(line.rstrip("\n").encode())
        responses[0] = made
        return 0

    return CONVERSE(converse)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--rhost")
    parser.add_argument("--tty")
    parser.add_argument("--ruser")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE of the PAM handle")
    parser.add_argument("--uid", type=int, help="become this user first")
    parser.add_argument("--real-uid", type=int, help="whose program this is, as setuid root")
    parser.add_argument("--confdir", help="PAM services from here")
    parser.add_argument("--account-only", action="store_true")
    parser.add_argument("--also", action="append", default=[], choices=["setcred", "session",
                                                                        "chauthtok"])
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--no-conversation", action="store_true", help="fail every prompt")
    parser.add_argument("--ignore-sigchld", action="store_true")
    parser.add_argument("--block-sigint", action="store_true")
    parser.add_argument("--again", metavar="ITEM=VALUE", action="append", default=[],
                        help="authenticate once more, with another item")
    parser.add_argument("--change-user", help="PAM_USER between authentication and account")
    return parser.parse_args()


def prepare(options: argparse.Namespace) -> None:
    if options.ignore_sigchld:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if options.block_sigint:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if options.real_uid is not None:
        os.setresuid(options.real_uid, 0, 0)
    if options.uid is not None:
        os.setgroups([])
        os.setresgid(options.uid, options.uid, options.uid)
        os.setresuid(options.uid, options.uid, options.uid)


def start(options: argparse.Namespace) -> Any:
    handle = ctypes.c_void_p()
    conversation = Conversation(converse_with(options), None)
    begin = [options.service.encode(), options.user.encode(), ctypes.byref(conversation)]
    if options.confdir:
        code = pam.pam_start_confdir(*begin, options.confdir.encode(), ctypes.byref(handle))
    else:
        code = pam.pam_start(*begin, ctypes.byref(handle))
    assert code == 0, code
    assert pam.pam_set_item(handle, FAIL_DELAY, no_delay) == 0
    for name in ("rhost", "tty", "ruser"):
        value = getattr(options, name)
        if value is not None:
            assert pam.pam_set_item(handle, ITEMS[name], value.encode()) == 0
    for pair in options.env:
        assert pam.pam_putenv(handle, pair.encode()) == 0
    return handle, conversation


def account(handle: Any, flags: int, options: argparse.Namespace) -> int:
    if options.change_user:
        assert pam.pam_set_item(handle, ITEMS["user"], options.change_user.encode()) == 0
    return pam.pam_acct_mgmt(handle, flags)


def main() -> int:
    options = arguments()
    prepare(options)
    handle, conversation = start(options)
    flags = SILENT if options.silent else 0
    before = time.monotonic()
    report: dict[str, Any] = {}
    code = 0
    if not options.account_only:
        code = pam.pam_authenticate(handle, flags)
        report["auth"] = NAMES.get(code, str(code))
    for again in options.again:
        name, _, value = again.partition("=")
        assert pam.pam_set_item(handle, ITEMS[name], value.encode()) == 0
        report["again"] = NAMES.get(pam.pam_authenticate(handle, flags), "?")
    if code == 0 or options.change_user:
        report["account"] = NAMES.get(account(handle, flags, options), "?")
    calls = {"setcred": lambda: pam.pam_setcred(handle, ESTABLISH_CRED),
             "session": lambda: pam.pam_open_session(handle, 0) or pam.pam_close_session(handle,
                                                                                         0),
             "chauthtok": lambda: pam.pam_chauthtok(handle, 0)}
    for name in options.also:
        code = calls[name]()
        report[name] = NAMES.get(code, str(code))
    report["seconds"] = time.monotonic() - before
    pam.pam_end(handle, 0)
    # What pam_end or the module left behind: descriptors, children.
    report["fds"] = len(os.listdir("/proc/self/fd"))
    try:
        report["child"] = os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        report["child"] = None
    tell(**report)
    del conversation
    return 0


if __name__ == "__main__":
    sys.exit(main())
