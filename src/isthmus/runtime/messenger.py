"""Carry a message to where `notify.url` says: a webhook by POST, or a mail."""

import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2

from isthmus.model.failure import TransientError
from isthmus.outbound.call import Outbound, with_request_id
from isthmus.outbound.punctual import Limits
from isthmus.runtime.addresses import Address

WITHIN = 10.0
"""Seconds that somebody has to take a message."""

LARGEST = 1_000_000
"""Bytes of an answer; nothing of it is used but its status."""

CODE = "integration.notify_failed"
SENDER = "isthmus@localhost"
PORTS = {"mailto": 25, "smtp": 587, "smtps": 465}


def channel(address: Address, transport: httpx2.BaseTransport | None = None) -> Callable[[dict[str, Any]], None]:
    """What takes a message to an address, or raises TransientError `integration.notify_failed`."""
    if address.scheme in ("http", "https"):
        return lambda message: _post(address, message, transport)
    return lambda message: _mail(address, message)


def _post(address: Address, message: Mapping[str, Any], transport: httpx2.BaseTransport | None) -> None:
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


def _mail(address: Address, message: Mapping[str, Any]) -> None:
    parts = urlsplit(address.url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    mail = _written(
        message, unquote(parts.path) if parts.scheme == "mailto" else asked["to"], asked.get("from", SENDER)
    )
    host, port = parts.hostname or "localhost", parts.port or PORTS[parts.scheme]
    try:
        safe = ssl.create_default_context()
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=WITHIN, context=safe)
        else:
            server = smtplib.SMTP(host, port, timeout=WITHIN)
        with server:
            server.ehlo()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=safe)
                server.ehlo()
            elif parts.scheme == "smtp" and parts.password:
                raise TransientError(CODE, "smtp: no password is sent over a line in the clear; the server has no TLS")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise TransientError(CODE, f"{address.scheme}: {_said(error)}") from None


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
