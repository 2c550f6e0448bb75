# SPDX-License-Identifier: GPL-2.0-or-later
# Time-based one-time passwords, written from RFC 6238 so that the simulated authenticator app and
# the simulated Okta cannot share a mistake with the code under test.
"""RFC 6238 passcodes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

STEP_SECONDS = 30  # RFC 6238 section 5.2: the recommended default
DIGITS = 6


def new_secret() -> str:
    """A shared secret of 160 bits (RFC 4226 section 4, R6) in base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def step_of(seconds: float) -> int:
    return int(seconds // STEP_SECONDS)


def code(secret: str, step: int, digits: int = DIGITS) -> str:
    """The passcode of one time step (RFC 4226 section 5.3, dynamic truncation)."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset:offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10 ** digits).zfill(digits)
