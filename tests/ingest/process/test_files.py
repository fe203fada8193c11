"""Files that change under a running ingress; metrics of several workers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest.http import tls
from ingest.process.merge_metrics import merge
from ingest.process.reload import Reloader
from sori.errors import ConfigError


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name`, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run([*command, "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    return cert, key


def test_a_change_is_loaded_once_it_is_still_and_a_wrong_one_is_tried_until_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    loaded: list[str] = []

    def load() -> list[Path]:
        text = file.read_text()
        if text == "wrong":
            loaded.append("refused")
            raise ConfigError("wrong")
        loaded.append(text)
        return [file]

    reloader = Reloader("a", load, [file])
    assert not reloader.check()
    file.write_text("")  # its writer is not done
    assert not reloader.check()
    file.write_text("22")
    assert not reloader.check()
    assert reloader.check()
    assert not reloader.check()
    file.write_text("wrong")
    assert [reloader.check() for _ in range(3)] == [False] * 3
    assert reloader.refused == "wrong"
    file.unlink()
    file.write_text("3")
    assert [reloader.check() for _ in range(3)] == [False, True, False]
    assert reloader.refused == ""
    assert loaded == ["22", "refused", "refused", "3"]


def test_a_renewed_certificate_is_in_force_and_a_bad_pair_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "one.test")
    context = tls.make_context(cert, key)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    other_cert, other_key = certificate(tmp_path, "two.test")
    tls.load(context, other_cert, other_key)
    with pytest.raises(ConfigError):
        tls.load(context, cert, other_key)
    with pytest.raises(ConfigError):
        tls.make_context(tmp_path / "nowhere", key)


PAGE = """# HELP a_total Help text.
# TYPE a_total counter
a_total{account="x y",outcome="z"} 3.0
a_total{account="{}",outcome="z"} 4.0
# HELP g Gauge.
# TYPE g gauge
g 1.5
"""


def test_pages_of_workers_merge_into_one_valid_page() -> None:
    text = merge({"worker-0": PAGE, "worker-1": PAGE.replace("3.0", "5.0"), "worker-2": ""})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {(s.labels["worker"], s.labels["account"]): s.value for s in families["a"].samples}
    assert samples == {
        ("worker-0", "x y"): 3.0,
        ("worker-1", "x y"): 5.0,
        ("worker-0", "{}"): 4.0,
        ("worker-1", "{}"): 4.0,
    }
    assert {s.labels["worker"] for s in families["g"].samples} == {"worker-0", "worker-1"}
