"""Every command that documents, help and messages tell people to type is one that this program takes."""

from __future__ import annotations

import importlib
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import build
from testkit.paths import ROOT

SORI = typer.main.get_command(build())
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
CODE = sorted(path for folder in ("cli", "api", "sori", "ingest", "sinks", "streams", "notify", "runtime", "broker")
              for path in (ROOT / folder).rglob("*.py"))  # fmt: skip
#: What stands for something of the reader's.
_PLACEHOLDER = re.compile(r"[A-Z]+|<.*|\[.*|\{.*|…|\.\.\.")
_INLINE = re.compile(r"`(?:[A-Z_]+=\S+ )*sori ([^`\n]+)`")


def typed(text: str) -> Iterator[list[str]]:
    """The simple commands of the shell blocks of a page, as words."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            try:
                words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
            except ValueError:  # a quote that goes on in the next line
                continue
            command: list[str] = []
            for word in [*words, ";"]:
                if set(word) <= set(";|&()<>"):
                    yield from [command] if command else []
                    command = []
                elif command or "=" not in word:  # settings stand before it
                    command.append(word)


def wrong(words: list[str]) -> str:
    """What is wrong with the words after `sori`; nothing if it is one of its commands with its options."""
    command: Any = SORI
    options = known(command)
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("-") and word != "-":
            if name not in options:
                return f"no option {name}"
        elif (below := getattr(command, "commands", None)) is not None:
            if _PLACEHOLDER.fullmatch(word):
                return ""
            if word not in below:
                return f"no command {word}"
            command = below[word]
            options |= known(command)
    return ""


def known(command: Any) -> set[str]:
    """Its options."""
    found = {"-h", "--help"}
    for one in command.params:
        found |= {*one.opts, *one.secondary_opts}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_exist(page: Path) -> None:
    """`sori` with its options, targets of make, modules of Python, scripts of this project."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in typed(page.read_text()):
        program, rest = Path(words[0]).name, words[1:]
        if program == "sori":
            assert not wrong(rest), words
        elif program == "make":
            assert {word for word in rest if "=" not in word} <= targets, words
        elif program.startswith("python") and rest[:1] == ["-m"] and rest[1].split(".")[0] in {"bench", "testkit"}:
            assert importlib.util.find_spec(rest[1]), words
        elif program.startswith("python") and rest and rest[0].endswith(".py"):
            assert (ROOT / rest[0]).exists() or (page.parent / rest[0]).exists(), words


#: `make X ARGS="…"` and `python -m bench.X …`, in blocks and in sentences.
_MAKE = re.compile(r'make ([a-z-]+) ARGS="([^"]*)"')
_MODULE = re.compile(r"(?:python|bin/python) -m (bench[\w.]*)((?: +(?!#)[^`\s#]+)*)")


def measured(text: str) -> Iterator[tuple[str, str]]:
    """Modules that a page has people run, with their arguments; what `make` calls as the Makefile does."""
    called = dict(
        re.findall(r"^([a-z-]+):.*\n\t\$\(call bench,([\w.]+)\)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    for target, arguments in _MAKE.findall(text):
        if target in called:
            yield f"bench.{called[target]}", arguments
    yield from _MODULE.findall(text)


ARGUMENTS: dict[str, set[str]] = {}
for _page in (page for page in PAGES if page.name != "CHANGELOG.md"):
    for _module, _arguments in measured(_page.read_text()):
        ARGUMENTS.setdefault(_module, set()).update(re.findall(r"--[a-z][a-z-]*", _arguments))


@pytest.mark.parametrize("module", sorted(ARGUMENTS))
def test_a_bench_has_the_options_that_the_pages_give_it(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts, and its own help names them; minutes of measuring are not needed to know that."""
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.delitem(sys.modules, f"{module}.__main__", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert not ended.value.code
    told = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    assert ARGUMENTS[module] <= told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_sentences_exist(page: Path) -> None:
    """Between backticks."""
    if page.name == "CHANGELOG.md":
        pytest.skip("tells the past")
    assert not [(told, wrong(told.split())) for told in _INLINE.findall(page.read_text()) if wrong(told.split())]


def test_commands_in_messages_exist() -> None:
    """An error that sends people to a command that is not there helps nobody."""
    told = [(path.name, one) for path in CODE for one in _INLINE.findall(path.read_text())]
    assert len(told) > 50
    assert not [(name, one, wrong(one.split())) for name, one in told if wrong(one.split())]
