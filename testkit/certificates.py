"""Certificates of a test's own authority, made by the openssl command: valid, expired, of somebody else."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
[ca]
default_ca = here
[here]
dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
email_in_dn = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    cert: Path
    key: Path

    def both(self, path: Path) -> Path:
        """Key and chain in one file, as a Kafka broker wants them."""
        path.write_text(self.key.read_text() + self.cert.read_text()[self.cert.read_text().index("-----BEGIN") :])
        return path


class Authority:
    """Signs certificates in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.cert, self._key = folder / "ca.pem", folder / "ca.key"
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        extensions = ("-extensions", "authority", "-subj", "/CN=test authority", "-days", "30")
        _openssl("req", "-x509", *_KEY, "-config", self._config(), *extensions, "-keyout", self._key, "-out", self.cert)

    def issue(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1", expired: bool = False) -> Pair:
        """A certificate for `name`; an expired one ended in 2021."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        _openssl("req", *_KEY, "-config", self._config(), "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        span = ("20200101000000Z", "20210101000000Z") if expired else ("20200101000000Z", "20990101000000Z")
        _openssl(
            *("ca", "-batch", "-notext", "-config", self._config(names), "-extensions", "leaf"),
            *("-cert", self.cert, "-keyfile", self._key, "-startdate", span[0], "-enddate", span[1]),
            *("-in", request, "-out", pair.cert),
        )
        return pair

    def _config(self, names: str = "DNS:localhost") -> Path:
        path = self._folder / "openssl.cnf"
        path.write_text(_CONFIG.format(folder=self._folder, names=names))
        return path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
