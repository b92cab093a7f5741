"""The network edge of deliveries keeps Shopify's limits over real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import runner, world
from sims.shopify.deeds import app, people
from sims.shopify.deliver import Deliveries

DEADLINE = 10.0


class Receiver(ThreadingHTTPServer):
    """Counts what arrives and how many were being answered at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, pause: float) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.pause = pause
        self.bodies: list[bytes] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(server.pause)
        with server.lock:
            server.at_once -= 1
            server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(pause=0.05)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_due_deliveries_are_posted_several_at_once(receiver: Receiver) -> None:
    clock = SimClock()
    made = world.build(9, 20, 20, 10, clock)
    store, queue = made.store("uk"), Deliveries(made, Faults(1))
    app.subscribe(made, store, "customers/update", f"http://127.0.0.1:{receiver.server_port}/", "app", made.now())
    for customer in list(store.customers.values())[:10]:
        queue.take(people.update(made, store, customer, made.now()))
    edge = runner.Runner(queue, clock)
    edge.start()
    _until(lambda: queue.pending == 0)
    edge.stop()
    assert len(receiver.bodies) == 10
    assert receiver.most_at_once > 1
    assert queue.report()["ok"] == 10


def test_an_address_that_does_not_answer_fails_and_waits_for_its_retry() -> None:
    clock = SimClock()
    made = world.build(9, 20, 20, 10, clock)
    store, queue = made.store("uk"), Deliveries(made, Faults(1))
    app.subscribe(made, store, "customers/update", "http://127.0.0.1:1/", "app", made.now())
    queue.take(people.update(made, store, next(iter(store.customers.values())), made.now()))
    edge = runner.Runner(queue, clock)
    edge.start()
    _until(lambda: queue.report()["failed"] == 1)
    edge.stop()
    assert queue.pending == 1


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.01)
