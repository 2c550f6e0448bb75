# SPDX-License-Identifier: GPL-2.0-or-later
# What a NAS sends and checks for MS-CHAPv2 (RFC 2759, RFC 2548): made of plain Python, because
# nothing that Debian ships does it over RADIUS without EAP.
"""MS-CHAPv2 over RADIUS."""

from __future__ import annotations

import hashlib
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, modes
try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

MICROSOFT, CHALLENGE, RESPONSE, SUCCESS, SEND_KEY, RECV_KEY = 311, 11, 25, 26, 16, 17


def _rotate(value: int, by: int) -> int:
    value &= 0xffffffff
    return (value << by | value >> (32 - by)) & 0xffffffff


def md4(data: bytes) -> bytes:
    """RFC 1320; OpenSSL 3 has it only where its legacy provider is loaded."""
    data += b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
    rounds = (
        (lambda x, y, z: x & y | ~x & z, 0, range(16), (3, 7, 11, 19)),
        (lambda x, y, z: x & y | x & z | y & z, 0x5a827999,
         [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], (3, 5, 9, 13)),
        (lambda x, y, z: x ^ y ^ z, 0x6ed9eba1,
         [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], (3, 9, 11, 15)))
    for at in range(0, len(data), 64):
        words = struct.unpack("<16I", data[at:at + 64])
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for i, k in enumerate(order):
                a, b, c, d = d, _rotate(a + mix(b, c, d) + words[k] + constant, shifts[i % 4]), b, c
        state = [(x + y) & 0xffffffff for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def _des(key: bytes, block: bytes) -> bytes:
    bits = int.from_bytes(key, "big")
    spread = bytes((bits >> (49 - 7 * i) & 0x7f) << 1 for i in range(8))
    encryptor = Cipher(TripleDES(spread * 3), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


class Exchange:
    """One person's answer to a challenge of the NAS, and what the server's answer has to be."""

    def __init__(self, user: str, password: str) -> None:
        self.authenticator, peer = secrets.token_bytes(16), secrets.token_bytes(16)
        digest = hashlib.sha1(peer + self.authenticator + user.encode()).digest()[:8]
        hashed = md4(password.encode("utf-16-le"))
        padded = hashed + bytes(5)
        answer = b"".join(_des(padded[i:i + 7], digest) for i in (0, 7, 14))
        self.response = bytes(2) + peer + bytes(8) + answer
        first = hashlib.sha1(md4(hashed) + answer + b"Magic server to client signing constant")
        last = hashlib.sha1(first.digest() + digest
                            + b"Pad to make it do more than one iteration")
        self.success = b"\0S=" + last.hexdigest().upper().encode()
