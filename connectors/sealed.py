"""The envelope in which WeCom, WeChat and YonBIP seal their callbacks.

AES-256 in CBC mode, the initial vector being the first 16 bytes of the key, padding PKCS#7 to 32 bytes. The plaintext
is 16 random bytes, the length of the message as four bytes (big-endian), the message, and the id of its receiver.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_RANDOM, _LENGTH, _BLOCK_BITS = 16, 4, 256


class Opened(NamedTuple):
    """A message, and the id of the account it is meant for: compare it."""

    message: bytes
    receiver: bytes


def open_envelope(key: bytes, sealed: str) -> Opened:
    """What is in a base64 envelope; ``key`` has 32 bytes. Raises ``ValueError`` if it does not open with the key.

    Only to be called once a signature has proved the sender: errors of padding tell a forger something.
    """
    try:
        cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = cipher.update(base64.b64decode(sealed, validate=True)) + cipher.finalize()
        padding = PKCS7(_BLOCK_BITS).unpadder()
        plain = padding.update(plain) + padding.finalize()
    except binascii.Error as error:
        raise ValueError("no base64") from error
    start = _RANDOM + _LENGTH
    end = start + int.from_bytes(plain[_RANDOM:start], "big")
    if len(plain) < start or end > len(plain):
        raise ValueError("no length of a message")
    return Opened(plain[start:end], plain[end:])
