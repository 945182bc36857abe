"""The key file of an import: one secret, its owner's alone, of which the same keys come each time."""

import os
import stat
from pathlib import Path

import pytest

from gateway.demo.model import WrongCallError
from gateway.exchange.keys import load_keys, make_keys


def test_a_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "study-import.key"
    before = os.umask(0)
    try:
        made = make_keys(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_keys(path) == load_keys(path) == made


def test_keys_are_the_same_each_time_and_each_their_own(tmp_path: Path) -> None:
    keys, again = make_keys(tmp_path / "key"), load_keys(tmp_path / "key")
    named = {
        "sponsor": keys.role("sponsor").address,
        "coordinator": keys.role("coordinator").address,
        "one": keys.patient("S", "1").address,
        "other": keys.patient("S", "2").address,
        "elsewhere": keys.patient("T", "1").address,
        "shifted": keys.patient("S1", "").address,
    }
    assert len(set(named.values())) == len(named)
    assert again.patient("S", "1").address == named["one"]
    assert keys.name("a", "bc") != keys.name("ab", "c")


def test_a_secret_of_another_file_makes_other_keys(tmp_path: Path) -> None:
    assert make_keys(tmp_path / "a").role("sponsor").address != make_keys(tmp_path / "b").role("sponsor").address


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33, "ab" * 32 + "\nab"])
def test_what_is_no_key_file_is_refused_without_being_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(WrongCallError) as refused:
        load_keys(path)
    assert "ab" * 8 not in str(refused.value)
    assert "zz" not in str(refused.value)


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongCallError, match="no key file that can be read; name it with --key"):
        load_keys(tmp_path / "none")
