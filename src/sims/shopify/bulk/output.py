"""Result files and the address they are fetched at: no token, a signature that ends, whole or by range.

The address looks like that of Google's storage, as captured ones do. What that storage says when a signature has ended
or is wrong, and with which status, is ASSUMED: https://cloud.google.com/storage/docs/xml-api/reference-status.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

from sims.wire import Request, Response

PATH = "/bulk-operation-outputs/"
LASTS = timedelta(days=7)
"""How long an address opens (https://shopify.dev/docs/api/admin-graphql/2026-10/objects/BulkOperation)."""

ACCOUNT = "assets-us-prod@shopify-tiers.iam.gserviceaccount.com"
PIECE = 256 * 1024
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Output:
    """A file of lines that is being written; it has no name on the disk, so nothing is left behind."""

    def __init__(self, name: str) -> None:
        self.name, self.size = name, 0
        self._number, path = tempfile.mkstemp(prefix="sims-bulk-")
        os.unlink(path)
        self._held = bytearray()
        weakref.finalize(self, os.close, self._number)

    def write(self, line: bytes) -> None:
        """Add a line."""
        self._held += line
        self.size += len(line)
        if len(self._held) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Make what was written readable."""
        os.write(self._number, self._held)
        self._held.clear()

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Walk the bytes from `start` up to `stop`, a piece at a time; several readers may."""
        while start < stop:
            piece = os.pread(self._number, min(PIECE, stop - start), start)
            if not piece:
                return
            start += len(piece)
            yield piece


def address(base: str, output: Output, operation: int, ends_at: datetime, key: bytes) -> str:
    """Return where an output can be fetched until `ends_at`."""
    expires = int(ends_at.timestamp())
    name = f"bulk-{operation}.jsonl"
    disposition = f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    given = {
        "GoogleAccessId": ACCOUNT,
        "Expires": str(expires),
        "Signature": sign(output.name, expires, key),
        "response-content-disposition": disposition,
        "response-content-type": "application/jsonl",
    }
    return f"{base}{PATH}{output.name}?" + "&".join(f"{key}={quote_plus(value)}" for key, value in given.items())


def sign(name: str, expires: int, key: bytes) -> str:
    """Give the signature of an address."""
    return hmac.new(key, f"{name} {expires}".encode(), hashlib.sha256).hexdigest()


def fetch(
    request: Request, outputs: Mapping[str, Output], now: datetime, key: bytes, *, expired: int, cut: int = 0
) -> Response:
    """Answer a request for an output.

    `expired` is the status of an ended address; after `cut` bytes, unless 0, the answer breaks off.
    """
    name = request.path.rpartition("/")[2]
    expires, signature = request.query.get("Expires", ""), request.query.get("Signature", "")
    if not expires.isdecimal() or not hmac.compare_digest(signature, sign(name, int(expires or 0), key)):
        return _refused(403, "SignatureDoesNotMatch", "Access denied.")
    if now.timestamp() >= int(expires):
        ended = datetime.fromtimestamp(int(expires), UTC)
        return _refused(
            expired, "ExpiredToken", f"The provided token has expired. It ended at {ended:%Y-%m-%dT%H:%M:%SZ}."
        )
    output = outputs.get(name)
    if output is None:
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    return _served(request, output, cut)


def _served(request: Request, output: Output, cut: int) -> Response:
    start, stop, status = 0, output.size, 200
    headers = {
        "Content-Type": request.query.get("response-content-type", "application/jsonl"),
        "Content-Disposition": request.query.get("response-content-disposition", "attachment"),
        "Accept-Ranges": "bytes",
    }
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is not None:
        start, status = int(asked[1]), 206
        if start >= output.size:
            return Response(416, {"Content-Range": f"bytes */{output.size}"})
        stop = min(output.size, int(asked[2]) + 1) if asked[2] else output.size
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{output.size}"
    headers["Content-Length"] = str(stop - start)
    if request.method == "HEAD":
        return Response(status, headers)
    told = min(stop, start + cut) if cut else stop
    return Response(status, headers, stream=output.read(start, told))


def _refused(status: int, code: str, message: str) -> Response:
    told = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(status, {"Content-Type": "application/xml; charset=UTF-8"}, told.encode())
