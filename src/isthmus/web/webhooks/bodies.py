"""Read the bodies of calls within limits of size and time, and of the memory that all of them together may take."""

import asyncio
from asyncio import Timeout

from starlette.types import Message, Receive

from isthmus.web.webhooks.responses import HookResponse, Refused

LARGEST = 8 * 2**20
BODY_WITHIN = 10.0
"""Seconds from the first byte of a body to its end; the server itself waits for the first (web/listener.py)."""
MOST_AT_ONCE = 32 * 2**20
"""Bytes that are held of all bodies under way: thousands of usual ones, four of the largest."""


class _Reader:
    """One body under way."""

    __slots__ = ("is_cut", "size", "timeout")

    def __init__(self, timeout: Timeout) -> None:
        self.timeout = timeout
        self.size = 0
        self.is_cut = False


class Bodies:
    """Reads bodies. Where all of them together grow too large, the largest is given up: usual bodies are small."""

    def __init__(self) -> None:
        self._held = 0
        self._readers: set[_Reader] = set()

    async def read(self, headers: dict[str, str], receive: Receive) -> bytes:
        """The raw body, of which never more than LARGEST is read, whether its length was announced or not."""
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and (len(announced) > 10 or int(announced) > LARGEST):
            raise Refused(HookResponse.TOO_LARGE)
        # The signature is over the bytes as they come, and Shopify sends them plain.
        if headers.get("content-encoding", "identity") != "identity":
            raise Refused(HookResponse.ENCODED)
        message = await receive()
        if not message.get("more_body"):
            return _chunk(message, 0)  # nearly all of them
        return await self._long(message, receive)

    async def _long(self, message: Message, receive: Receive) -> bytes:
        is_cut = False
        try:
            async with asyncio.timeout(BODY_WITHIN) as timeout:
                reader = _Reader(timeout)
                self._readers.add(reader)
                try:
                    return await self._rest(reader, message, receive)
                finally:
                    self._readers.discard(reader)
                    self._held -= reader.size
                    is_cut = reader.is_cut
        except TimeoutError as error:
            raise Refused(HookResponse.OVERLOADED if is_cut else HookResponse.TOO_SLOW) from error

    async def _rest(self, reader: _Reader, message: Message, receive: Receive) -> bytes:
        chunks = []
        while True:
            chunk = _chunk(message, reader.size)
            chunks.append(chunk)
            self._grow(reader, len(chunk))
            if not message.get("more_body"):
                return b"".join(chunks)
            message = await receive()

    def _grow(self, reader: _Reader, size: int) -> None:
        reader.size += size
        self._held += size
        while self._held > MOST_AT_ONCE:
            largest = max(self._readers, key=lambda one: one.size)
            if largest is reader:
                raise Refused(HookResponse.OVERLOADED)
            self._readers.discard(largest)
            self._held -= largest.size
            largest.size = 0
            largest.is_cut = True
            largest.timeout.reschedule(asyncio.get_running_loop().time())


def _chunk(message: Message, before: int) -> bytes:
    if message["type"] == "http.disconnect":
        raise Refused(HookResponse.NONSENSE)  # nobody is there to read the answer, but it is counted
    chunk: bytes = message.get("body", b"")
    if before + len(chunk) > LARGEST:
        raise Refused(HookResponse.TOO_LARGE)
    return chunk
