"""A result spread over parts, in any order of its lines; a span in halves."""

import contextlib
import json
import random
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.flows.backfill import spool
from isthmus.kit.config_errors import ConfigError
from isthmus.model.failure import RejectedError
from isthmus.runs.date_range import SMALLEST, DateRange, split_range

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@contextlib.contextmanager
def small_disk(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond this, which is refused as a full disk refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def product(n: int) -> list[bytes]:
    own, variant = f"gid://shopify/Product/{n}", f"gid://shopify/ProductVariant/{n}0"
    lines = [
        {"id": own, "title": f'a/b \\ " {n}'},
        {"id": variant, "__parentId": own},
        {"id": f"gid://shopify/MediaImage/{n}00", "__parentId": variant},
    ]
    return [json.dumps(line).encode().replace(b"/", b"\\/") for line in lines]


@pytest.mark.parametrize("seed", range(5))
def test_all_lines_of_a_record_lie_in_one_part_whatever_their_order(tmp_path: Path, seed: int) -> None:
    told = [line for n in range(60) for line in product(n)]
    random.Random(seed).shuffle(told)
    assert spool.split_result(tmp_path / "all", "product", told, 7) == len(told)
    places: dict[str, set[int]] = {}
    n = 0
    for part in spool.pending_parts(tmp_path / "all", 7, ()):
        for line in part.path.read_bytes().splitlines():
            n += 1
            kind, own = json.loads(line)["id"].split("/")[3:]
            owner = own[: len(own) - ("Product", "ProductVariant", "MediaImage").index(kind)]
            places.setdefault(owner, set()).add(part.number)
    assert n == len(told)
    assert len(places) == 60
    assert all(len(found) == 1 for found in places.values())
    assert len(set().union(*places.values())) > 3


def test_what_is_no_line_of_a_result_is_refused_and_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    with pytest.raises(RejectedError):
        spool.split_result(tmp_path / "all", "order", [b'{"id":"gid://shopify/Order/1"}', b"<html>"], 3)
    assert not (tmp_path / "all").exists()


def test_parts_that_are_in_are_not_given_again(tmp_path: Path) -> None:
    spool.split_result(tmp_path / "all", "product", [line for n in range(20) for line in product(n)], 4)
    assert [one.number for one in spool.pending_parts(tmp_path / "all", 4, {1, 2})] == [0, 3]
    assert not spool.part_path(tmp_path / "all", 1).exists()


def test_the_larger_a_result_the_more_parts_up_to_as_many_as_files_may_be_open() -> None:
    assert [spool.count_parts(n) for n in (0, 1, spool.PART, spool.PART + 1, 10**12)] == [1, 1, 1, 2, spool.MOST]


def test_halves_meet_and_keep_open_ends_open() -> None:
    oldest = AT - timedelta(days=64)
    cut = split_range(DateRange(), oldest, AT)
    assert cut is not None
    assert cut == (DateRange(None, AT - timedelta(days=32)), DateRange(AT - timedelta(days=32), None))
    later = split_range(cut[1], oldest, AT)
    assert later == (
        DateRange(AT - timedelta(days=32), AT - timedelta(days=16)),
        DateRange(AT - timedelta(days=16), None),
    )


def test_halving_comes_to_an_end() -> None:
    span, n = DateRange(AT - timedelta(days=3650), AT), 0
    while (cut := split_range(span, AT - timedelta(days=9999), AT)) is not None:
        span, n = cut[0], n + 1
    assert span.length <= SMALLEST
    assert n == 12


def test_a_full_disk_is_told_with_its_setting_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told = [b'{"id":"gid://shopify/Order/%d","note":"%s"}' % (n, b"x" * 1000) for n in range(500)]
    with small_disk(100_000), pytest.raises(ConfigError, match=r"^backfill\.spool_dir: .*; make room there or name"):
        spool.split_result(tmp_path / "all", "order", told, 2)
    assert list(tmp_path.iterdir()) == []
    assert spool.split_result(tmp_path / "all", "order", told, 2) == 500


def test_a_spool_that_is_no_folder_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"^backfill\.spool_dir: "),
        spool.lock_spool(tmp_path / "file" / "spool", "acme"),
    ):
        pass
