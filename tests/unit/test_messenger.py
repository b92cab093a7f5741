"""Messages on the wire: a webhook's POST and a mail, and nothing secret in what went wrong."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from isthmus.app import notification_channels
from isthmus.app.notification_channels import open_channel
from isthmus.app.notification_targets import check_target, parse_targets, split_targets
from isthmus.app.settings import Settings
from isthmus.model.failure import TransientError

MESSAGE = {"id": "acme-7", "text": "acme: opened: trouble\nmore", "what": "case"}


class Post(socketserver.StreamRequestHandler):
    """A mail server of a few lines (https://www.rfc-editor.org/rfc/rfc5321)."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = bytearray()
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part
                self.server.mails.append(bytes(body))  # type: ignore[attr-defined]
            if word == b"RCPT" and b"nobody" in line:
                self.wfile.write(b"550 who?\r\n")
            else:
                self.wfile.write(b"250 fine\r\n" if word != b"QUIT" else b"221 bye\r\n")
            if word == b"QUIT":
                return


class Server(socketserver.ThreadingTCPServer):
    """Keeps what it was sent."""

    daemon_threads = True
    mails: list[bytes]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Post) as made:
        made.mails = []
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def heard(status: int, told: list[httpx2.Request]) -> httpx2.MockTransport:
    def answer(request: httpx2.Request) -> httpx2.Response:
        told.append(request)
        return httpx2.Response(status)

    return httpx2.MockTransport(answer)


def test_a_webhook_is_sent_the_message_as_json() -> None:
    told: list[httpx2.Request] = []
    (address,) = parse_targets("https://chat.example/hooks/s3cret")
    open_channel(address, heard(200, told))(MESSAGE)
    assert (told[0].method, json.loads(told[0].content)) == ("POST", MESSAGE)
    assert told[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_says_how_it_answered_and_not_where(status: int) -> None:
    (address,) = parse_targets("https://chat.example/hooks/s3cret")
    with pytest.raises(TransientError) as caught:
        open_channel(address, heard(status, []))(MESSAGE)
    assert str(caught.value) == f"integration.notify_failed: https: answered {status}"


def test_silence_names_its_kind_alone() -> None:
    (address,) = parse_targets("http://127.0.0.1:9/s3cret")
    with pytest.raises(TransientError) as caught:
        open_channel(address)(MESSAGE)
    assert str(caught.value) == "integration.notify_failed: http: ConnectError"
    assert "s3cret" not in repr(address)


def test_a_mail_says_it_in_words_and_carries_the_json(server: Server) -> None:
    port = server.server_address[1]
    (address,) = parse_targets(f"smtp://127.0.0.1:{port}/?to=ops@acme.example&from=isthmus@acme.example")
    open_channel(address)(MESSAGE)
    mail: Any = message_from_bytes(server.mails[0], policy=policy.default)
    assert (mail["Subject"], mail["To"], mail["From"]) == (
        "acme: opened: trouble",
        "ops@acme.example",
        "isthmus@acme.example",
    )
    assert mail["Message-ID"] == "<acme-7@isthmus>"
    text, attached = mail.iter_parts()
    assert text.get_content().splitlines() == ["acme: opened: trouble", "more"]
    assert json.loads(attached.get_content()) == MESSAGE


def test_a_recipient_that_is_refused_is_told_without_the_address(server: Server) -> None:
    port = server.server_address[1]
    (address,) = parse_targets(f"smtp://127.0.0.1:{port}/?to=nobody@acme.example")
    with pytest.raises(TransientError) as caught:
        open_channel(address)(MESSAGE)
    assert caught.value.detail == "smtp: SMTPRecipientsRefused"


def test_a_password_never_goes_over_a_line_in_the_clear(server: Server) -> None:
    port = server.server_address[1]
    (address,) = parse_targets(f"smtp://ada:s3cret@127.0.0.1:{port}/?to=ops@acme.example")
    with pytest.raises(TransientError, match="no password is sent"):
        open_channel(address)(MESSAGE)
    assert server.mails == []


def test_several_addresses_and_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://chat.example/a,b, mailto:ops@acme.example")
    (tmp_path / "hook").write_text("smtps://mail.acme.example/?to=night@acme.example\n")
    found = parse_targets(f"env:HOOK, file:{tmp_path / 'hook'}")
    assert [one.scheme for one in found] == ["https", "mailto", "smtps"]
    assert found[0].url == "https://chat.example/a,b"
    assert len({one.name for one in found}) == 3
    assert split_targets("") == []


@pytest.mark.parametrize("wrong", ["ftp://host/x", "https://", "mailto:ops", "smtp://host", "chat.example"])
def test_what_nothing_can_be_sent_to_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"must be an address|needs a recipient"):
        check_target(wrong)


def test_the_setting_takes_one_address_or_a_list() -> None:
    listed = Settings(notify={"url": ["https://chat.example/x", "mailto:ops@acme.example"]})  # type: ignore[arg-type]
    assert [one.scheme for one in parse_targets(listed.notify.url)] == ["https", "mailto"]
    assert "chat.example" not in repr(listed.notify)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("", "is empty"),
        ("smtp://ada:s3cret@mail.example/?to=ops@acme.example", "holds a password in the clear"),
        (["https://chat.example/x", "chat"], "must be an address"),
        (7, "valid string"),
    ],
)
def test_a_wrong_setting_is_refused_without_repeating_it(wrong: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        Settings(notify={"url": wrong})  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)


class Drip(socketserver.BaseRequestHandler):
    """Answers a byte at a time, never whole, until the caller has gone. `server.first` is what it begins with."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.sendall(self.server.first)  # type: ignore[attr-defined]
            while not self.server.over.wait(0.02):  # type: ignore[attr-defined]
                self.request.sendall(b"2")


@pytest.mark.parametrize(
    ("scheme", "first"),
    [
        ("smtp", b""),
        ("smtp", b"220 here\r\n"),
        ("smtps", b"\x16\x03\x03\x40\x00"),  # a TLS record of 16 KiB, which never ends
    ],
)
def test_a_mail_server_that_answers_a_byte_at_a_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, scheme: str, first: bytes
) -> None:
    """Each wait by itself is short; without an end for all of them this test would never end either."""
    monkeypatch.setattr(notification_channels, "WITHIN", 0.3)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        server.first, server.over = first, threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        (address,) = parse_targets(f"{scheme}://127.0.0.1:{server.server_address[1]}/?to=ops@acme.example")
        with pytest.raises(TransientError) as raised:
            open_channel(address)(MESSAGE)
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
    assert (raised.value.code, raised.value.detail) == ("integration.notify_failed", f"{scheme}: TimeoutError")
