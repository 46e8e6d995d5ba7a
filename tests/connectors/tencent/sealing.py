"""The vendor's side of callbacks: signs and seals messages as WeCom and WeChat do."""

from __future__ import annotations

import base64
import secrets
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from connectors.contract import Inbound
from connectors.tencent.callbacks import signature

TOKEN = "callback-token-3f9"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")


def sealed(message: bytes, receiver: str, aes_key: str = AES_KEY) -> str:
    key = base64.b64decode(aes_key + "=")
    plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + receiver.encode()
    padding = PKCS7(256).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    content = cipher.update(padding.update(plain) + padding.finalize()) + cipher.finalize()
    return base64.b64encode(content).decode()


def stamped(*texts: str, at: float | None = None, token: str = TOKEN, name: str = "msg_signature") -> dict[str, str]:
    """The query of a callback over these texts."""
    stamp, nonce = str(int(time.time() if at is None else at)), "nonce1"
    return {"timestamp": stamp, "nonce": nonce, name: signature(token, stamp, nonce, *texts)}


def xml(**fields: str) -> bytes:
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>".encode()


def callback(message: bytes, receiver: str, **more: str) -> Inbound:
    """An encrypted callback with its signature."""
    envelope = sealed(message, receiver, more.pop("aes_key", AES_KEY))
    query = stamped(envelope, token=more.pop("token", TOKEN))
    return Inbound("POST", "/hooks/x", {}, query | more, xml(ToUserName=receiver, Encrypt=envelope))
