from pathlib import Path

import pytest

from omicstore.files import canonical_cell, canonical_json, staged, write_bytes, write_if_changed


def test_a_file_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    write_bytes(target, b"old")

    def halfway() -> None:
        with staged(target) as beside:
            beside.write_bytes(b"ne")
            raise ValueError("half")

    with pytest.raises(ValueError, match="^half$"):
        halfway()
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_nobody_sees_a_file_before_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with staged(target) as beside:
        beside.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    assert write_if_changed(target, b"a")
    first = target.stat().st_ino
    assert not write_if_changed(target, b"a")
    assert target.stat().st_ino == first
    assert write_if_changed(target, b"b")
    assert target.read_bytes() == b"b"


def test_json_does_not_follow_the_order_of_keys() -> None:
    one, other = {"b": [1.5, None], "a": "\u00e9"}, {"a": "\u00e9", "b": [1.5, None]}
    assert canonical_json(one) == canonical_json(other)
    assert canonical_cell(one) == canonical_cell(other) == '{"a":"\u00e9","b":[1.5,null]}'
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))
