"""All settings, one group per file. Environment `SORI_<GROUP>__<NAME>`, `--config sori.toml`, secrets also as `*_FILE`."""

from sori.settings.root import Settings, load_settings

__all__ = ["Settings", "load_settings"]
