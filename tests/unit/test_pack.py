"""Bodies come back as they were, whoever packs beside."""

from concurrent.futures import ThreadPoolExecutor

from isthmus.kit.compression import Packer


def test_what_was_packed_comes_back() -> None:
    packer = Packer()
    body = b'{"id": 1}' * 700
    assert packer.unpack(packer.pack(body)) == body
    assert len(packer.pack(body)) < len(body) / 10


def test_threads_share_a_packer() -> None:
    """Two threads in one zstd context end the process, not only the test."""
    packer = Packer()

    def go(seed: int) -> bool:
        bodies = [bytes((seed * n + i) % 251 for i in range(400)) * 5 for n in range(300)]
        return all(packer.unpack(packer.pack(body)) == body for body in bodies for _ in range(10))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(go, range(1, 9)))
