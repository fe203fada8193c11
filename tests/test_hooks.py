"""What editors and hooks are told: commands that exist here, nothing fetched, and the same as CI."""

from __future__ import annotations

import subprocess

import yaml

from testkit.paths import ROOT

HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())


def test_hooks_run_offline_out_of_the_environment():
    """No repository is cloned, and each command is one that the pinned packages bring."""
    assert [repo["repo"] for repo in HOOKS["repos"]] == ["local"]
    for hook in HOOKS["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert (ROOT / hook["entry"].split()[0]).exists(), hook["entry"]


def test_the_configuration_is_one_that_pre_commit_takes():
    """Said by itself."""
    done = subprocess.run(
        [ROOT / ".venv/bin/pre-commit", "validate-config", ".pre-commit-config.yaml"], cwd=ROOT, check=False
    )
    assert done.returncode == 0


def test_the_spelling_is_right():
    """Of everything that is kept here."""
    done = subprocess.run([ROOT / ".venv/bin/codespell", "."], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.stdout
