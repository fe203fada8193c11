"""The root of all settings, and how they are loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from sori.errors import ConfigError
from sori.settings.access import AccessSettings
from sori.settings.api import ApiSettings
from sori.settings.broker import BrokerSettings
from sori.settings.clickhouse import ClickHouseSettings
from sori.settings.ingest import IngestSettings
from sori.settings.kafka import KafkaSettings
from sori.settings.log import LogSettings
from sori.settings.notify import NotifySettings
from sori.settings.rules import RulesSettings
from sori.settings.sinks import SinksSettings
from sori.settings.streams import StreamsSettings
from sori.settings.traces import TracesSettings

PREFIX = "SORI_"
_FILE_SUFFIX = "_FILE"


class Settings(BaseSettings):
    """Everything that can be set. Precedence: arguments, environment, `*_FILE` secrets, TOML file, defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(Path(".sori"), description="Where the embedded broker, ClickHouse and the spool keep files.")
    kafka: KafkaSettings = KafkaSettings()
    broker: BrokerSettings = BrokerSettings()
    ingest: IngestSettings = IngestSettings()
    streams: StreamsSettings = StreamsSettings()
    rules: RulesSettings = RulesSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    sinks: SinksSettings = SinksSettings()
    api: ApiSettings = ApiSettings()
    access: AccessSettings = AccessSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()

    @property
    def clickhouse_dsn(self) -> str:
        """The DSN in force: the one set, else the embedded engine under the data directory."""
        return self.clickhouse.dsn or f"chdb://{(self.data_dir / 'clickhouse').absolute()}"


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads SORI_<GROUP>__<NAME>_FILE: the value is the content of the file, one trailing newline removed."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - abstract method
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, path in os.environ.items():
            if not (name.startswith(PREFIX) and name.endswith(_FILE_SUFFIX) and "__" in name):
                continue
            group, _, field = name[len(PREFIX) : -len(_FILE_SUFFIX)].lower().partition("__")
            try:
                value = Path(path).read_text(encoding="utf-8").removesuffix("\n")
            except OSError as error:
                raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from error
            found.setdefault(group, {})[field] = value
        return found


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings in force.

    `overrides` are nested dicts that win over everything, such as `ingest={"port": 0}`.
    Raises ConfigError with one line per wrong field.
    """

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - fixed signature
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - fixed signature
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = (init_settings, env_settings, _SecretFiles(settings_cls))
            return sources if config is None else (*sources, TomlConfigSettingsSource(settings_cls, config))

    if config is not None and not config.is_file():
        raise ConfigError(f"no such settings file: {config}")
    try:
        return Loaded(**overrides)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ConfigError("settings are wrong:\n" + "\n".join(lines)) from error
    except ValueError as error:
        raise ConfigError(f"settings cannot be read: {error}") from error
