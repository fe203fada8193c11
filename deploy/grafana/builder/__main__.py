"""Writes the generated files."""

from __future__ import annotations

from pathlib import Path

from deploy.grafana.builder.generate import generated

for name, content in generated().items():
    path = Path(__file__).parents[1] / "provisioning" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
