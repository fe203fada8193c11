"""All settings, one group per file: environment `SORI_<GROUP>__<NAME>`, the same with `_FILE`, `--config sori.toml`."""

from sori.settings.load import load_settings, settings_files
from sori.settings.root import Settings

__all__ = ["Settings", "load_settings", "settings_files"]
