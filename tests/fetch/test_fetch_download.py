"""Downloads from a portal that misbehaves: what arrives is whole and right, or there is one error that names the file."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from omicstore.errors import FetchError, LockedError
from omicstore.fetch import bring
from omicstore.fetch.http import Http
from omicstore.fetch.plan import Item, Part, Plan, plain_name
from omicstore.fetch.record import Record
from omicstore.fetch.run import ENOUGH, Done, fetch

DATA = random.Random(5).randbytes(600_000)
MD5 = hashlib.md5(DATA).hexdigest()


def get(portal: Any, folder: Path, *items: Item, jobs: int = 2) -> Done:
    """Fetch items of the portal; their URLs are its paths."""
    whole = tuple(Item(i.path, portal.url + i.url, i.size, i.md5, i.etag, i.body) for i in items)
    return bring(Plan("a portal", "tcga", (Part("A", "rna", "", whole),)), folder, jobs=jobs).done


def asked_head(portal: Any, path: str) -> Item:
    """The item of a file as a hub tells it: size and mark, no checksum."""
    with Http(threading.Event()) as http:
        head = http.head(portal.url + path)
    assert head is not None
    return Item("a.gz", path, head.size, etag=head.etag)


@pytest.fixture
def item(portal: Any) -> Item:
    portal.files["/a.gz"] = DATA
    return Item("x/a.gz", "/a.gz", len(DATA), MD5)


def starts(portal: Any, path: str = "/a.gz") -> list[int]:
    return [int(h.get("range", "bytes=0-")[6:-1]) for h in portal.asked(path)]


def test_a_connection_that_drops_twice_is_resumed_where_it_broke(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.goes_wrong("/a.gz", portal.mishap["drop"](200_000), portal.mishap["drop"](150_000))
    assert get(portal, tmp_path, item).fetched == ("x/a.gz",)
    assert (tmp_path / "x/a.gz").read_bytes() == DATA
    assert starts(portal) == [0, 200_000, 350_000]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.gz", "fetched.jsonl"]


@pytest.mark.parametrize("with_md5", [True, False])
def test_what_an_earlier_run_left_is_gone_on_with(portal: Any, tmp_path: Path, with_md5: bool) -> None:
    portal.files["/a.gz"] = DATA
    item = Item("a.gz", "/a.gz", len(DATA), MD5) if with_md5 else asked_head(portal, "/a.gz")
    portal.goes_wrong("/a.gz", portal.mishap["drop"](100_000), *[portal.mishap["status"](503)] * 6)
    with pytest.raises(FetchError, match="nothing came in 6 tries"):
        get(portal, tmp_path, item)
    assert (tmp_path / "a.gz.part").stat().st_size == 100_000
    get(portal, tmp_path, item)
    assert starts(portal)[-1] == 100_000
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_a_file_that_changed_in_between_is_fetched_anew(portal: Any, tmp_path: Path) -> None:
    portal.files["/a.gz"] = DATA
    portal.goes_wrong("/a.gz", portal.mishap["drop"](100_000), *[portal.mishap["status"](503)] * 6)
    with pytest.raises(FetchError):
        get(portal, tmp_path, asked_head(portal, "/a.gz"))
    portal.files["/a.gz"] = DATA[::-1]
    get(portal, tmp_path, asked_head(portal, "/a.gz"))
    assert (tmp_path / "a.gz").read_bytes() == DATA[::-1]


def test_a_change_while_it_comes_mixes_no_versions(portal: Any, tmp_path: Path) -> None:
    portal.files["/a.gz"] = DATA
    item = asked_head(portal, "/a.gz")

    def cut_and_change(handler: Any, data: bytes) -> bool:
        portal.files["/a.gz"] = DATA[::-1]
        return bool(portal.mishap["drop"](100_000)(handler, data))

    portal.goes_wrong("/a.gz", cut_and_change)
    get(portal, tmp_path, item)
    assert (tmp_path / "a.gz").read_bytes() == DATA[::-1]


def test_without_a_mark_and_a_checksum_nothing_is_resumed(portal: Any, tmp_path: Path) -> None:
    portal.files["/a.gz"], portal.etags = DATA, False
    portal.goes_wrong("/a.gz", portal.mishap["drop"](100_000))
    get(portal, tmp_path, Item("a.gz", "/a.gz", len(DATA)))
    assert starts(portal) == [0, 0]
    assert (tmp_path / "a.gz").read_bytes() == DATA


def test_a_server_without_ranges_sends_all_again(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.ranges = False
    portal.goes_wrong("/a.gz", portal.mishap["drop"](100_000))
    get(portal, tmp_path, item)
    assert starts(portal) == [0, 100_000]
    assert (tmp_path / "x/a.gz").read_bytes() == DATA


def test_a_body_cut_short_that_claims_to_be_whole_is_not_believed(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.goes_wrong("/a.gz", portal.mishap["truncate"](50_000))
    get(portal, tmp_path, item)
    assert (tmp_path / "x/a.gz").read_bytes() == DATA


def test_always_cut_short_gives_up(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.ranges = False
    portal.goes_wrong("/a.gz", *[portal.mishap["truncate"](50_000)] * 20)
    with pytest.raises(FetchError) as caught:
        get(portal, tmp_path, item)
    assert "x/a.gz: nothing came in 6 tries (the file ended after 50,000 of 600,000 bytes)" in str(caught.value)
    assert not (tmp_path / "x/a.gz").exists()


def test_a_wrong_checksum_is_fetched_once_more(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.goes_wrong("/a.gz", portal.mishap["garble"])
    get(portal, tmp_path, item)
    assert (tmp_path / "x/a.gz").read_bytes() == DATA
    assert starts(portal) == [0, 0]


def test_twice_a_wrong_checksum_is_one_error_that_names_the_file(portal: Any, item: Item, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.gz").write_bytes(b"what was here before")
    portal.goes_wrong("/a.gz", *[portal.mishap["garble"]] * 2)
    with pytest.raises(FetchError) as caught:
        get(portal, tmp_path, item)
    wrong = hashlib.md5(bytes([DATA[0] ^ 1]) + DATA[1:]).hexdigest()
    assert str(caught.value) == (
        f"x/a.gz came twice and both times had the md5 {wrong} instead of {MD5}. "
        "Expected the file that the portal's own list promises. "
        f"To mend it: run the same command later; if it stays so, report {portal.url}/a.gz to the portal"
    )
    assert (tmp_path / "x/a.gz").read_bytes() == b"what was here before"
    assert starts(portal) == [0, 0]
    assert not list(tmp_path.rglob("*.part*"))


def test_busy_servers_are_given_the_time_they_ask_for(
    portal: Any, item: Item, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    asked = [("429", "7"), ("503", "Wed, 21 Oct 2015 07:28:00 GMT"), ("503", "")]
    portal.goes_wrong("/a.gz", *(portal.mishap["status"](int(code), Retry_After=after) for code, after in asked))
    plan = Plan("a portal", "tcga", (Part("A", "rna", "", (Item(item.path, portal.url + "/a.gz", item.size, MD5),)),))
    with Record.writing(tmp_path) as record:
        fetch(plan, tmp_path, record, stop=Clock())
    assert waited[:2] == [7.0, 0.0]
    assert 0.02 <= waited[2] <= 0.04  # the third failure: 0.01 s doubled twice, half of it left to chance


def test_a_pause_too_long_is_told(portal: Any, item: Item, tmp_path: Path) -> None:
    portal.goes_wrong("/a.gz", portal.mishap["status"](429, Retry_After="86400"))
    with pytest.raises(FetchError, match=r"x/a.gz: the server asks to wait 86,400 seconds"):
        get(portal, tmp_path, item)


def test_a_refusal_is_not_tried_again(portal: Any, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"/b answers 404 Not Found \(no such file\)"):
        get(portal, tmp_path, Item("b", "/b", 3, MD5))
    assert len(portal.asked("/b")) == 1


def test_one_bad_file_does_not_keep_the_others_from_coming(portal: Any, tmp_path: Path) -> None:
    portal.files |= {f"/{i}": b"%d" % i for i in range(9)}
    items = [Item(str(i), f"/{i}", 1, hashlib.md5(b"%d" % i).hexdigest()) for i in range(9)]
    with pytest.raises(FetchError, match=r"2 of 11 files could not be had; the others that came are kept"):
        get(portal, tmp_path, *items, Item("b", "/b", 3, MD5), Item("c", "/c", 3, MD5))
    assert all((tmp_path / str(i)).exists() for i in range(9))


def test_a_dead_portal_is_left_after_a_few_files(portal: Any, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="of 40 files could not be had"):
        get(portal, tmp_path, *(Item(f"b{i:02}", f"/b{i:02}", 3, MD5) for i in range(40)), jobs=1)
    assert ENOUGH <= len(portal.requests) <= ENOUGH + 1


def test_several_at_a_time_and_not_more(portal: Any, tmp_path: Path) -> None:
    portal.files |= {f"/{i}": b"x" for i in range(12)}
    portal.delay = 0.05
    get(portal, tmp_path, *(Item(str(i), f"/{i}", 1) for i in range(12)), jobs=3)
    assert 2 <= portal.most_busy <= 3


class TestSecondRun:
    def test_fetches_nothing(self, portal: Any, item: Item, tmp_path: Path) -> None:
        portal.files["/b"] = b"other"
        other = Item("b", "/b", 5, etag=asked_head(portal, "/b").etag)
        assert get(portal, tmp_path, item, other).kept == 0
        before, record = len(portal.requests), (tmp_path / "fetched.jsonl").read_bytes()
        assert get(portal, tmp_path, item, other) == Done((), 2, 0)
        assert len(portal.requests) == before
        assert (tmp_path / "fetched.jsonl").read_bytes() == record

    def test_mends_a_file_that_was_damaged(self, portal: Any, item: Item, tmp_path: Path) -> None:
        get(portal, tmp_path, item)
        (tmp_path / "x/a.gz").write_bytes(DATA[::-1])
        assert get(portal, tmp_path, item).fetched == ("x/a.gz",)
        assert (tmp_path / "x/a.gz").read_bytes() == DATA

    def test_takes_what_gdc_client_left(self, portal: Any, item: Item, tmp_path: Path) -> None:
        (tmp_path / "x").mkdir()
        (tmp_path / "x/a.gz").write_bytes(DATA)
        assert get(portal, tmp_path, item) == Done((), 1, 0)
        assert portal.requests == []

    def test_survives_a_torn_record(self, portal: Any, item: Item, tmp_path: Path) -> None:
        get(portal, tmp_path, item)
        with (tmp_path / "fetched.jsonl").open("a") as handle:
            handle.write('{"what": "fi')
        assert get(portal, tmp_path, item).kept == 1

    def test_tells_a_strange_record(self, portal: Any, item: Item, tmp_path: Path) -> None:
        (tmp_path / "fetched.jsonl").write_text("hello\n{}\n")
        with pytest.raises(FetchError, match="fetched.jsonl, line 1 is no line of a record"):
            get(portal, tmp_path, item)


def test_a_full_disk_is_told_before_anything_comes(
    portal: Any, item: Item, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 500_000, 500_000))
    with pytest.raises(FetchError) as caught:
        get(portal, tmp_path, item)
    assert str(caught.value) == (
        f"600 kB are to be fetched and {tmp_path} has room for 500 kB. Expected room for all files. "
        "To mend it: make room, choose another disk with --out, or ask for less with --modalities"
    )
    assert portal.requests == []


def test_two_fetches_into_one_folder(portal: Any, item: Item, tmp_path: Path) -> None:
    with Record.writing(tmp_path), pytest.raises(LockedError, match="another omicstore fetch is writing to"):
        get(portal, tmp_path, item)


@pytest.mark.parametrize("name", ["", "..", ".bashrc", "../../x", "/etc/passwd", "a\\b", "C:x", "a\nb"])
def test_a_portal_cannot_choose_where_a_file_goes(name: str) -> None:
    with pytest.raises(FetchError, match="Expected a plain file name"):
        plain_name(name, "GDC")


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    httpx = pytest.importorskip("httpx")
    tries: list[object] = []

    def refuse(*args: object, **kwargs: object) -> None:
        tries.append(args)
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate")

    monkeypatch.setattr(httpx.Client, "stream", refuse)
    with Http(threading.Event()) as http, pytest.raises(FetchError, match="cannot prove who it is.*SSL_CERT_FILE"):
        http.json("https://portal.example/files")
    assert len(tries) == 1
