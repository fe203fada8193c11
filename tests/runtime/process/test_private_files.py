"""What holds events or secrets is for its owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.storage import BrokerDir, prepare
from ingest.storage.spool.limits import SpoolLimits
from ingest.storage.spool.store import SpoolStore
from runtime.process.private_files import OURS, private_data_dir, private_folder, write_private
from sori.errors import StorageUnavailable


def mode(path: Path) -> str:
    """As `ls` would tell, in octal."""
    return oct(path.stat().st_mode & 0o7777)


@pytest.fixture(autouse=True)
def wide_umask():
    """The widest, so that nothing is right by the umask of whoever runs the tests."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_folder_and_what_it_lies_in_is_made_private(tmp_path: Path) -> None:
    """Also the data directory of a stage that only makes its own folder in it."""
    private_folder(tmp_path / "data" / "spool")
    assert (mode(tmp_path / "data"), mode(tmp_path / "data" / "spool")) == ("0o700", "0o700")


def test_what_was_wide_is_tightened_and_its_content_kept(tmp_path: Path) -> None:
    """An older release made it."""
    for name in OURS:
        (tmp_path / "data" / name).mkdir(parents=True, mode=0o755)
    private_data_dir(tmp_path / "data")
    assert mode(tmp_path / "data") == "0o700"
    assert {entry.name for entry in (tmp_path / "data").iterdir()} == OURS


def test_a_folder_that_others_use_too_keeps_its_modes(tmp_path: Path) -> None:
    """`--data-dir /tmp`, or one's home, must not lock anybody out."""
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home" / "letter.txt").write_text("mine")
    assert mode(private_data_dir(tmp_path / "home")) == "0o755"
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    assert mode(private_folder(tmp_path / "shared")) == "0o1777"


def test_a_data_directory_that_cannot_be_is_an_error_of_ours(tmp_path: Path) -> None:
    """It names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="file"):
        private_data_dir(tmp_path / "file" / "data")


def test_a_secret_is_written_whole_once_and_privately(tmp_path: Path) -> None:
    """Who comes second finds the first one's."""
    write_private(tmp_path / "secret", "first")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "secret", "second")
    assert [(path.name, mode(path), path.read_text()) for path in tmp_path.iterdir()] == [("secret", "0o600", "first")]


def test_spool_and_broker_folders_are_private(tmp_path: Path) -> None:
    """Whatever was there before."""
    for name in ("spool", "kafka"):
        (tmp_path / name).mkdir(mode=0o777)
    SpoolStore(tmp_path / "spool", SpoolLimits(10_000, 10_000, 0)).close()
    directory = BrokerDir(tmp_path / "kafka")
    prepare(directory, 1, 2)
    folders = (tmp_path / "spool", directory.data, directory.log.parent)
    assert [mode(folder) for folder in folders] == ["0o700"] * 3
