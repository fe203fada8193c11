"""docs/connect.md, step by step as it stands: each of the three ways to an HTTPS address, the secret, the check."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.process.ports import free_port
from testkit.certificates import Authority, Pair
from testkit.documents import blocks
from testkit.paths import ROOT, SAMPLES
from testkit.wait import wait_until
from tests.e2e.test_up import Up

pytestmark = pytest.mark.timeout(600)

SECRET = "a-secret-of-the-console"
PAGE = ROOT / "docs/connect.md"
UP, UP_WITH_SECRET, CHECK = (block.text for block in blocks(PAGE, "sh"))
(TOML,), (NGINX,), (CADDY,) = ([block.text for block in blocks(PAGE, kind)] for kind in ("toml", "nginx", "caddy"))
#: Files and a folder of the proxy's own, so that it runs as anybody and leaves nothing.
AROUND_NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/1; uwsgi_temp_path {folder}/2; scgi_temp_path {folder}/3;
{server}
}}
"""
AROUND_CADDY = "{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}"
_PORTS_OFF = {f"SORI_{stage}__ADMIN_PORT": "0" for stage in ("INGEST", "STREAMS", "SINKS", "NOTIFY")}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the sender trusts here."""
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def pair(authority: Authority, request: pytest.FixtureRequest) -> Pair:
    """A certificate for this machine."""
    return authority.issue(f"host-{abs(hash(request.node.name))}")


def shell(folder: Path, authority: Authority) -> dict[str, str]:
    """A terminal in the folder where the secret's file lies."""
    (folder / "sori-secret").write_text(SECRET)
    (folder / "sori-secret").chmod(0o600)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "SSL_CERT_FILE": str(authority.cert), **_PORTS_OFF}


@contextmanager
def running(text: str, folder: Path, env: Mapping[str, str]) -> Iterator[Up]:
    """Run a command of the page until the test is through."""
    output, log = folder / "stdout", folder / "stderr"
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(["bash", "-ec", f"exec env {text}"], cwd=folder, env=env, stdout=out, stderr=err)
    try:
        yield Up(process, output, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(90)
        finally:
            process.kill()


def pasted(text: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it in a shell of its own."""
    run = {"cwd": folder, "env": env, "capture_output": True, "text": True, "timeout": 60}
    return subprocess.run(["bash", "-ec", text], **run, check=False)


def checked(url: str, folder: Path, env: Mapping[str, str]) -> str:
    """What the page's check prints of this address; it ends well."""
    text = CHECK.replace("https://sori.example.com/webhooks/sori", url)
    answer = pasted(text, folder, env)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.count("signature taken, nothing stored") >= 5, answer.stdout
    return answer.stdout


async def test_without_a_proxy(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """`sori up` with the page's settings and secret serves TLS; the check and the query tell so."""
    env = shell(tmp_path, authority)
    shutil.copy(pair.cert, tmp_path / "fullchain.pem")
    shutil.copy(pair.key, tmp_path / "privkey.pem")
    (tmp_path / "sori.toml").write_text(TOML)
    assert UP_WITH_SECRET.strip().endswith("sori up")
    assert UP.startswith("sori up")
    command = UP_WITH_SECRET.strip().removesuffix("sori up") + UP.strip()  # both at once
    with running(f"{command} --port 0 --api-port 0 --broker-port 0", tmp_path, env) as pipeline:
        await pipeline.is_up()
        port = pipeline.found(r"webhook    https://\S+?:(\d+)/webhooks/sori")
        url = f"https://localhost:{port}/webhooks/sori"
        checked(url, tmp_path, env)
        assert SECRET not in pipeline.output.read_text()
        sign = f"$(sori sign {SAMPLES}/click.json --secret {SECRET})"
        headers = f"""-H 'Content-Type: application/json' -H "X-SORI-Signature: {sign}" """
        send = f"curl -sf {url} --cacert {authority.cert} --data-binary @{SAMPLES}/click.json {headers}"
        assert pasted(send, tmp_path, env).returncode == 0
        (query,) = re.findall(r"`(sori query .+?)`", PAGE.read_text())
        await wait_until(lambda: "campaign.click" in pasted(query, tmp_path, env).stdout, 60)

        # what it printed works as it stands, too, where the terminal knows the secret
        printed = pipeline.output.read_text()
        lines = re.findall(r"^  ((?:body=|curl |     -H |\S*sori query).*)$", printed, re.MULTILINE)
        known = {**env, "SORI_INGEST__SECRET_KEYS": SECRET}
        await wait_until(lambda: "My first campaign" in pasted("\n".join(lines), tmp_path, known).stdout, 60)
        (traffic,) = re.findall(r"^  (\S*sori simulate .*)$", printed, re.MULTILINE)
        sent = pasted(traffic.replace("--rate 100 --duration 60", "--rate 5 --duration 1"), tmp_path, known)
        assert sent.returncode == 0, sent.stdout + sent.stderr


def proxied(kind: str, folder: Path, pair: Pair, port: int, behind: int) -> list[str]:
    """The page's configuration with this test's ports and certificate, and the command that serves it."""
    if kind == "nginx":
        server = NGINX.replace("listen 443", f"listen 127.0.0.1:{port}").replace("sori.example.com;", "localhost;")
        server = re.sub(r"(ssl_certificate +)\S+;", rf"\g<1>{pair.cert};", server)
        server = re.sub(r"(ssl_certificate_key +)\S+;", rf"\g<1>{pair.key};", server)
        text = AROUND_NGINX.format(folder=folder, server=server)
        command = ["nginx", "-p", str(folder), "-c", str(folder / "conf")]
    else:
        site = CADDY.replace("sori.example.com {", f"localhost:{port} {{\n\ttls {pair.cert} {pair.key}")
        text = AROUND_CADDY.format(site=site)
        command = ["caddy", "run", "--config", str(folder / "conf"), "--adapter", "caddyfile"]
    assert "127.0.0.1:8080" in text
    (folder / "conf").write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{behind}"))
    return command


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
async def test_behind_a_proxy(kind: str, tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """The configuration as it stands on the page lets what was signed through, byte for byte."""
    if shutil.which(kind) is None:
        pytest.skip(f"there is no {kind} here")
    env = shell(tmp_path, authority)
    lone = {**env, "SORI_KAFKA__BOOTSTRAP": "127.0.0.1:1", "SORI_INGEST__PORT": "0", "SORI_LOG__FORMAT": "json"}
    command = UP_WITH_SECRET.strip().removesuffix("up") + "ingest"  # checks store nothing: no more is needed
    with running(command, tmp_path, lone) as ingest:
        await wait_until(lambda: any(line["event"] == "listening" for line in ingest.lines()), 60)
        (behind,) = (line["port"] for line in ingest.lines() if line["event"] == "listening")
        port, folder = free_port(), tmp_path / "proxy"
        folder.mkdir()
        with running(
            " ".join(proxied(kind, folder, pair, port, behind)), folder, {**env, "HOME": str(folder)}
        ) as proxy:
            ask = ["curl", "-s", "--cacert", str(authority.cert), "-o", os.devnull, "-w", "%{http_code}"]
            base = f"https://localhost:{port}"

            def answered() -> bool:
                assert proxy.process.poll() is None, proxy.log.read_text()
                return (
                    subprocess.run([*ask, f"{base}/webhooks/sori"], capture_output=True, check=False).stdout == b"405"
                )

            await wait_until(answered, 30)
            checked(f"{base}/webhooks/sori", tmp_path, env)


def test_every_way_of_the_page_is_tried() -> None:
    """Each block is one of those above."""
    assert [block.language for block in blocks(PAGE)] == ["caddy", "nginx", "toml", "sh", "sh", "sh"]
