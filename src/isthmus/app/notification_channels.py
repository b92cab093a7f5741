"""Carry a message to where `notify.url` says: a webhook by POST, or a mail."""

import json
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import httpx2

from isthmus.app.notification_targets import NotificationTarget
from isthmus.model.failure import TransientError
from isthmus.outbound.call import Outbound, with_request_id
from isthmus.outbound.deadline_transport import Limits

WITHIN = 10.0
"""Seconds that somebody has to take a message, from connecting to the last answer."""

LARGEST = 1_000_000
"""Bytes of an answer; nothing of it is used but its status."""

CODE = "integration.notify_failed"
SENDER = "isthmus@localhost"
PORTS = {"mailto": 25, "smtp": 587, "smtps": 465}


def open_channel(
    address: NotificationTarget, transport: httpx2.BaseTransport | None = None
) -> Callable[[dict[str, Any]], None]:
    """What takes a message to an address, or raises TransientError `integration.notify_failed`."""
    if address.scheme in ("http", "https"):
        return lambda message: _post(address, message, transport)
    return lambda message: _mail(address, message)


def _post(address: NotificationTarget, message: Mapping[str, Any], transport: httpx2.BaseTransport | None) -> None:
    client = Outbound(Limits(within=WITHIN, largest=LARGEST), httpx2.Timeout(WITHIN), transport=transport)
    try:
        response = client.call("POST", address.url, json=message)
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        # Its own words may hold the address, and that is often a secret.
        raise TransientError(CODE, f"{address.scheme}: {type(error).__name__}") from None
    finally:
        client.close()
    if not response.is_success:
        raise TransientError(CODE, with_request_id(f"{address.scheme}: answered {response.status}", response.headers))


def _mail(address: NotificationTarget, message: Mapping[str, Any]) -> None:
    parts = urlsplit(address.url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    mail = _written(
        message, unquote(parts.path) if parts.scheme == "mailto" else asked["to"], asked.get("from", SENDER)
    )
    host, port = parts.hostname or "localhost", parts.port or PORTS[parts.scheme]
    try:
        with _in_time() as deadline:
            _deliver(_server(parts.scheme, host, port, deadline), parts, mail)
    except (OSError, smtplib.SMTPException) as error:
        raise TransientError(CODE, f"{address.scheme}: {_said(error)}") from None


def _deliver(server: smtplib.SMTP, parts: SplitResult, mail: EmailMessage) -> None:
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif parts.scheme == "smtp" and parts.password:
            raise TransientError(CODE, "smtp: no password is sent over a line in the clear; the server has no TLS")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)


class _Deadline:
    """When a delivery must be over. The timeouts of a mail library bound each wait by itself, so that a server that
    answers a byte a second could hold it for ever: at the end the connection is cut, below any TLS."""

    def __init__(self) -> None:
        self.ends = time.monotonic() + WITHIN
        self.is_over = False
        self._held: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of a host that answers; all of them share what is left."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for n, (*_, address) in enumerate(found):
            share = max((self.ends - time.monotonic()) / (len(found) - n), 0.001)
            try:
                made = socket.create_connection((str(address[0]), port), timeout=share)
            except OSError:
                if n == len(found) - 1:
                    raise
            else:
                left = max(self.ends - time.monotonic(), 0.001)
                made.settimeout(left)
                self._held = made.dup()  # TLS takes the first one over
                self._timer = threading.Timer(left, self._cut)
                self._timer.daemon = True
                self._timer.start()
                return made
        raise OSError("the name has no address")

    def _cut(self) -> None:
        self.is_over = True
        if self._held is not None:
            with suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._held is not None:
            self._held.close()


@contextmanager
def _in_time() -> Iterator[_Deadline]:
    deadline = _Deadline()
    try:
        yield deadline
    except (OSError, smtplib.SMTPException) as error:
        raise TimeoutError if deadline.is_over else error from None
    finally:
        deadline.close()


class _Plain(smtplib.SMTP):
    """A mail server whose connection ends in time."""

    def __init__(self, deadline: _Deadline, host: str, port: int, **options: Any) -> None:
        self._deadline = deadline
        super().__init__(host, port, timeout=WITHIN, **options)

    def _get_socket(self, host: str, port: int, _: float) -> socket.socket:
        return self._deadline.connect(host, port)


class _Encrypted(smtplib.SMTP_SSL, _Plain):
    """The same behind TLS from the first byte on."""

    def __init__(self, deadline: _Deadline, host: str, port: int, **options: Any) -> None:
        self._deadline = deadline
        smtplib.SMTP_SSL.__init__(self, host, port, timeout=WITHIN, **options)


def _server(scheme: str, host: str, port: int, deadline: _Deadline) -> smtplib.SMTP:
    if scheme == "smtps":
        return _Encrypted(deadline, host, port, context=ssl.create_default_context())
    return _Plain(deadline, host, port)


def _written(message: Mapping[str, Any], to: str, sender: str) -> EmailMessage:
    """A message as a mail: what happened in words, and the same as JSON behind it for programs."""
    text = str(message["text"])
    mail = EmailMessage()
    mail["Subject"] = text.partition("\n")[0][:150]
    mail["From"] = sender
    mail["To"] = to
    mail["Message-ID"] = f"<{message['id']}@isthmus>"
    mail["Auto-Submitted"] = "auto-generated"  # https://www.rfc-editor.org/rfc/rfc3834: no holiday notes, please
    mail.set_content(text)
    mail.add_attachment(json.dumps(message, indent=1).encode(), "application", "json", filename="message.json")
    return mail


def _said(error: Exception) -> str:
    """The kind of an error and the server's number; its words may hold an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
