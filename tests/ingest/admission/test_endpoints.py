"""Endpoints from settings and from their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ingest.admission.endpoints import describe, load_endpoints
from sori.errors import ConfigError, PrerequisiteError
from sori.settings.ingest import IngestSettings

TWO = """
[[endpoint]]
name = "acme"
accounts = ["acc_1", "acc_2"]
app_id = "app_1"
secrets = ["new", "old"]

[[endpoint]]
name = "lab"
path = "/hooks/lab"
unsigned = true
"""


def write(tmp_path: Path, text: str) -> IngestSettings:
    file = tmp_path / "endpoints.toml"
    file.write_text(text)
    return IngestSettings(endpoints_file=file)


def test_without_anything_nobody_may_post_and_the_remedy_is_told() -> None:
    with pytest.raises(PrerequisiteError) as caught:
        load_endpoints(IngestSettings())
    assert "SORI_INGEST__SECRET_KEYS_FILE" in caught.value.remedy
    assert "SORI_INGEST__UNSIGNED=true" in caught.value.remedy


def test_the_default_endpoint_is_open_only_when_the_settings_say_so_by_name(tmp_path: Path) -> None:
    table = load_endpoints(IngestSettings(unsigned=True))
    assert [endpoint.path for endpoint in table.unsigned] == ["/webhooks/sori"]
    beside = load_endpoints(write(tmp_path, TWO).model_copy(update={"unsigned": True}))
    assert {endpoint.path for endpoint in beside.unsigned} == {"/webhooks/sori", "/hooks/lab"}
    with pytest.raises(ValidationError, match="unsigned = true goes without secret_keys"):
        IngestSettings(unsigned=True, secret_keys="s")


def test_secrets_of_the_default_endpoint_are_comma_separated() -> None:
    table = load_endpoints(IngestSettings(app_id="app", secret_keys=" one, two ,"))
    assert [secret.value for secret in table.by_path["/webhooks/sori"].secrets] == [b"one", b"two"]
    assert not table.unsigned


def test_a_file_gives_each_endpoint_its_path_accounts_and_secrets(tmp_path: Path) -> None:
    table = load_endpoints(write(tmp_path, TWO))
    acme = table.by_path["/webhooks/acme"]
    assert acme.accounts == {"acc_1", "acc_2"}
    assert [secret.value for secret in acme.secrets] == [b"new", b"old"]
    assert table.by_path["/hooks/lab"].name == "lab"


def test_with_a_file_the_default_endpoint_is_not_left_open_beside_it(tmp_path: Path) -> None:
    assert "/webhooks/sori" not in load_endpoints(write(tmp_path, TWO)).by_path


def test_lists_of_the_file_may_be_text_with_commas(tmp_path: Path) -> None:
    table = load_endpoints(write(tmp_path, '[[endpoint]]\nname = "a"\naccounts = "x, y"\nsecrets = "one,two"\n'))
    assert table.by_path["/webhooks/a"].accounts == {"x", "y"}
    assert [secret.value for secret in table.by_path["/webhooks/a"].secrets] == [b"one", b"two"]


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_secret_file_that_is_gone_or_empty_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "one.key").write_text(content)
    with pytest.raises(ConfigError, match=r"'a'.*one\.key"):
        load_endpoints(write(tmp_path, '[[endpoint]]\nname = "a"\nsecret_files = ["one.key"]\n'))


def test_secrets_may_be_files_beside_the_endpoints_file(tmp_path: Path) -> None:
    (tmp_path / "one.key").write_text("s1\n")
    table = load_endpoints(write(tmp_path, '[[endpoint]]\nname = "a"\nsecret_files = ["one.key"]\n'))
    assert table.by_path["/webhooks/a"].secrets[0].value == b"s1"
    assert tmp_path / "one.key" in table.sources


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[endpoint]]\nname = "a"\n', "unsigned = true"),
        ('[[endpoint]]\nname = "a"\nsecrets = ["x"]\nunsigned = true\n', "unsigned"),
        ('[[endpoint]]\nname = "a"\nsecrets = [""]\n', "empty"),
        ('[[endpoint]]\nname = "a"\nsecrets = ["x"]\ntypo = 1\n', "typo"),
        ('[[endpoint]]\nname = "a"\npath = "/readyz"\nsecrets = ["x"]\n', "not a path"),
        ('[[endpoint]]\nname = "a"\nsecret_files = ["nowhere"]\n', "secret file"),
        ('[[endpoint]]\nname = "a"\nsecrets = ["x"]\n' * 2, "two endpoints"),
        ("not toml", "endpoints file"),
        ("", "it is empty"),
        ("# nothing but a comment", r"no \[\[endpoint\]\]"),
        ('[[endpoint]]\nname = "a"\nsecret = "x"\n', "line 3: there is no key 'secret'; did you mean secrets?"),
        ('[[endpoints]]\nname = "a"\n', "line 1: there is no key 'endpoints'; did you mean endpoint?"),
        ('[[endpoint]]\nname = "a"\nsecrets = ["CHANGE-ME"]\n', "placeholder"),
    ],
)
def test_a_file_that_is_wrong_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_endpoints(write(tmp_path, text))


def test_a_description_tells_keys_apart_and_never_a_secret(tmp_path: Path) -> None:
    text = str(describe(load_endpoints(write(tmp_path, TWO.replace('"new"', '"hush-hush"')))))
    assert "hush-hush" not in text
    assert "app_1:" in text
    assert "unsigned" in text
    assert "hush-hush" not in repr(load_endpoints(write(tmp_path, TWO.replace('"new"', '"hush-hush"'))))


@pytest.mark.parametrize(
    ("raw", "claimant"),
    [
        (b'{"account_id":"acc_2","event":1}', "acc_2"),
        (b'{"account_id":"acc_9"}', ""),
        (b"nope", ""),
        (b'{"account_id":7}', ""),
        (b"\xff", ""),
    ],
)
def test_a_body_that_is_no_event_may_still_name_its_account(tmp_path: Path, raw: bytes, claimant: str) -> None:
    table = load_endpoints(write(tmp_path, TWO))
    assert table.claimant(table.by_path["/webhooks/acme"], raw) == claimant


def test_a_global_url_takes_an_account_that_has_campaign_urls_too(tmp_path: Path) -> None:
    """A campaign's URL overrides the global one for that campaign only: authentications still go to the global one."""
    settings = write(tmp_path, TWO).model_copy(update={"secret_keys": ("acme's",)})
    table = load_endpoints(settings)
    default, lab = table.by_path["/webhooks/sori"], table.by_path["/hooks/lab"]
    assert table.allows(default, "acc_1")
    assert table.allows(default, "acc_9")
    assert not table.allows(table.by_path["/webhooks/acme"], "acc_9")
    assert not table.allows(lab, "acc_1"), "nobody proves acc_1 at an unsigned endpoint"


@pytest.mark.parametrize("path", ["/webhooks/acme/", "//webhooks//ACME", "/Webhooks/Acme//"])
def test_a_path_is_found_however_its_slashes_and_case_are_written(tmp_path: Path, path: str) -> None:
    table = load_endpoints(write(tmp_path, TWO))
    assert table.find(path) is table.by_path["/webhooks/acme"]
    assert table.find(path + "x") is None


def test_paths_that_differ_in_case_alone_are_told_apart_exactly(tmp_path: Path) -> None:
    table = load_endpoints(write(tmp_path, TWO + '[[endpoint]]\nname = "b"\npath = "/Hooks/lab"\nunsigned = true\n'))
    assert (table.find("/hooks/lab"), table.find("/Hooks/lab")) == (
        table.by_path["/hooks/lab"],
        table.by_path["/Hooks/lab"],
    )
    assert table.find("/HOOKS/LAB") is None
