"""All settings, one group per file: environment `SORI_<GROUP>__<NAME>`, `--config sori.toml`, secrets as `*_FILE`."""

from sori.settings.root import Settings, load_settings

__all__ = ["Settings", "load_settings"]
