"""`sori query` as a person at a terminal sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sori.settings import load_settings
from testkit.clickhouse_fixtures import open_with_schema


def test_a_table_in_a_terminal_has_no_escapes(tmp_path: Path) -> None:
    """chDB colours its tables where standard output is a terminal, and we show what would act on one as text."""
    with open_with_schema(load_settings(data_dir=tmp_path).clickhouse_dsn):
        pass
    ours, theirs = os.openpty()
    asked = [sys.executable, "-m", "cli.main", "query", "SELECT 7 AS seven", "--data-dir", str(tmp_path)]
    try:
        subprocess.run(asked, stdout=theirs, stdin=subprocess.DEVNULL, check=True, timeout=120)
        shown = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "seven" in shown
    assert "x1b" not in shown
    assert "\x1b" not in shown
