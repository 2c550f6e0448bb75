# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody at a terminal in front of a program that logs in, who answers its prompts one after the
# other: the password, a new one, what stands in a prompt of devtrust.
"""A person at a real terminal."""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Sequence

import pexpect

from tests.lib.pamworld import LIMIT

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
CURRENT = r"(?i)(current|old|existing)[^\r\n]*password[^:\r\n]*: ?$"
NEW = r"(?i)(new|retype|again|reenter)[^\r\n]*password[^:\r\n]*: ?$"
PASSWORD = r"(?i)password[^:\r\n]*: ?$"
MFA = r"(?:Enter|in Okta Verify|passcode|number \d+)[^\r\n]*: ?$"
SHELL = r"[$#] $"
PROMPTS_MAX = 12


@dataclasses.dataclass
class Seen:
    """What came of it: all that was on the screen, and how the program ended (None: by no exit)."""

    text: str
    status: int | None

    @property
    def inside(self) -> bool:
        """A command's output, `id`'s, is there."""
        return re.search(r"uid=\d+\(", self.text) is not None

    @property
    def number(self) -> str:
        """The number that stands in the last prompt of a push, or ""."""
        found = re.findall(r"number (\d+)", self.text)
        return found[-1] if found else ""


def sign_on(command: Sequence[str], password: str | Callable[[str], str],
            answer: Callable[[str], str] = lambda _: "",
            new_password: str = "", limit: float = LIMIT) -> Seen:
    """Runs the command at a terminal. `answer` gives what is typed at a prompt of devtrust, and
    `password` may give what is typed at one for a password, of what was seen so far. At a shell the
    person types `id; exit`."""
    child = pexpect.spawn(command[0], list(command[1:]), timeout=limit, encoding="utf-8",
                          env=ENVIRONMENT, cwd="/", dimensions=(40, 200))
    seen = ""
    try:
        for _ in range(PROMPTS_MAX):
            got = child.expect([pexpect.EOF, CURRENT, NEW, PASSWORD, MFA, SHELL, r"login: $",
                                "Login incorrect", "Sorry, try again"])
            seen += (child.before or "") + (str(child.after) if got else "")
            if got in (1, 3):
                child.sendline(password if isinstance(password, str) else password(seen))
            elif got == 2:
                child.sendline(new_password)
            elif got == 4:
                child.sendline(answer(seen))
            elif got == 5:
                child.sendline("id; exit")
            else:
                break
    finally:
        child.close(force=True)
    return Seen(seen, child.exitstatus)
