"""Runs a container's command as a container engine does: own root, mounts, processes and user, with Linux namespaces.

The root is made of this machine's system folders, read-only; nothing else of it is there, no checkout and no home.
Needs root (mount, chroot). All containers share one network, in which only the loopback interface is up.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from testkit.rehearsal.container import Container, Mount
from testkit.rehearsal.image import Image

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
_INSIDE = "REHEARSAL_INSIDE"  # no setting of ours: those are refused when unknown


def why_not() -> str:
    """Why namespaces cannot be used here; empty when they can."""
    if os.geteuid() != 0:
        return "needs root for mount and chroot: sudo make rehearse"
    missing = [
        tool for tool in ("unshare", "nsenter", "setpriv", "mount", "chroot", "ip") if shutil.which(tool) is None
    ]
    if missing:
        return f"needs {', '.join(missing)} (Debian: util-linux, iproute2)"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


def is_inside() -> bool:
    """Whether this process already runs in the rehearsal's own network."""
    return _INSIDE in os.environ


def enter(command: list[str], hosts: Path) -> int:
    """Run `command` where only loopback exists and `hosts` names the containers; everything in it dies with it."""
    script = f"mount --bind {shlex.quote(str(hosts))} /etc/hosts && ip link set lo up && exec {shlex.join(command)}"
    isolated = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"]
    return subprocess.run([*isolated, "sh", "-c", script], env={**os.environ, _INSIDE: "1"}, check=False).returncode


def start(container: Container, image: Image, root: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start it; the returned process is the engine's, its only child is the container's first process."""
    script = "\n".join([*_root(container, image, root), f"exec chroot {_q(root)} {shlex.join(_entered(container))}"])
    isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-ec", script]
    with log.open("ab") as output:
        return subprocess.Popen(isolated, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def first_process(engine: subprocess.Popen[bytes]) -> int | None:
    """The container's first process, as this machine numbers it; None before it starts and after it ended."""
    try:
        children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def execute(container: Container, pid: int, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a command inside a running container, as `docker exec` does."""
    joined = ["nsenter", "--target", str(pid), "--mount", "--pid", "--root", "--", *_entered(container, command)]
    return subprocess.run(joined, capture_output=True, text=True, check=False, timeout=30)


def _entered(container: Container, command: tuple[str, ...] | None = None) -> list[str]:
    """Its user without capabilities or a way to gain any, its variables and no others."""
    dropped = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--clear-groups"]
    user = [f"--reuid={container.user}", f"--regid={container.group}"]
    variables = [f"{name}={value}" for name, value in container.environment.items()]
    environment = ["/usr/bin/env", "-i", f"--chdir={container.workdir}", *variables]
    return ["/usr/bin/setpriv", *user, *dropped, *environment, *(container.command if command is None else command)]


def _root(container: Container, image: Image, root: Path) -> list[str]:
    """The shell lines that make the container's file system."""
    lines = ["mount --make-rprivate /", f"mkdir -p {_q(root)}", f"mount -t tmpfs -o mode=755 tmpfs {_q(root)}"]
    lines += [line for folder in _SYSTEM for line in _system_folder(folder, root)]
    lines += [f"mkdir {_q(root)}/dev {_q(root)}/proc", f"mount --rbind /dev {_q(root)}/dev"]
    lines += [f"mount -t proc proc {_q(root)}/proc"]
    layers = [Mount(target, source, read_only=container.read_only) for target, source in image.layers.items()]
    covered = {mount.target for mount in container.mounts}
    # a volume of the image that nobody mounted is an unnamed one, its user's
    volumes = [Mount(path, options=f"uid={image.user},mode=755") for path in image.volumes if path not in covered]
    for mount in (*layers, *volumes, *container.mounts):
        lines += _mount(mount, root)
    return [*lines, f"mount -o remount,ro {_q(root)}"] if container.read_only else lines


def _system_folder(folder: str, root: Path) -> list[str]:
    if not Path(folder).exists():
        return []
    if Path(folder).is_symlink():
        return [f"cp -a {folder} {_q(root)}{folder}"]
    return _mount(Mount(folder, Path(folder), read_only=True), root)


def _mount(mount: Mount, root: Path) -> list[str]:
    target = _q(f"{root}{mount.target}")
    if mount.source is None:
        return [f"mkdir -p {target}", f"mount -t tmpfs -o {mount.options} tmpfs {target}"]
    made = f"mkdir -p {target}" if mount.source.is_dir() else f"mkdir -p $(dirname {target}) && touch {target}"
    bound = [made, f"mount --rbind {_q(mount.source)} {target}"]
    return [*bound, f"mount -o remount,bind,ro {target}"] if mount.read_only else bound


def _q(path: Path | str) -> str:
    return shlex.quote(str(path))
