"""Identifiers: Shopify's global ids, keyed hashes that name a person without telling who it is, content hashes."""

import hashlib
import hmac
import uuid


def numeric_id(gid: str) -> int:
    """The number at the end of `gid://shopify/Order/123`, also with `?…` behind it; ValueError where there is none."""
    last = gid.rpartition("/")[2]
    return int(last if last.isdigit() else last.partition("?")[0])


def global_id(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """A 16-byte name for personal data that only the holder of the key can recompute."""
    return hmac.digest(key, "\x1f".join(parts).encode(), "sha256")[:16]


def content_hash(body: bytes) -> bytes:
    """16 bytes that differ when the content differs."""
    return hashlib.blake2b(body, digest_size=16).digest()


def lock_key(*parts: str) -> int:
    """A signed 64-bit number for an advisory lock."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def claim_id() -> uuid.UUID:
    return uuid.uuid4()
