"""A real sshd on loopback that stands for a board, with keys, configuration and home of its own.

It runs as whoever runs the tests and lets nobody else in. Needs Debian's `openssh-server`; .ci/ssh installs it.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.ports import free_port

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def why_not():
    """Why no sshd can be started here; None where one can."""
    if not shutil.which("sshd", path=PATH) or not shutil.which("ssh"):
        return "openssh-server is not installed (.ci/ssh installs it)"
    return None


class Sshd:
    """A running sshd; its folder stands for a board's storage, `home` for the home there."""

    def __init__(self, folder, port=None, settings=()):
        self.folder, self.port = folder, port or free_port()
        self.home = folder / "home"
        self.config, self.known_hosts, self.key = (
            folder / "ssh_config",
            folder / "known_hosts",
            folder / "key",
        )
        self._log, self.user = folder / "sshd.log", getpass.getuser()
        self.home.mkdir(parents=True)
        (folder / "bin").mkdir()
        make_key(folder / "host_key")
        make_key(self.key)
        shutil.copy(self.key.with_suffix(".pub"), folder / "authorized_keys")
        self.know(folder / "host_key.pub")
        self.configure(settings)
        self._write_client_configuration()
        self.process = None
        self.start()

    def configure(self, settings=()):
        """Write sshd's configuration; what comes first wins."""
        lines = [
            *settings,
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'sshd.pid'}",
            "StrictModes no",  # temporary folders may be writable for others
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 100",
            "Subsystem sftp internal-sftp",  # for scp, which the benchmark compares with
            # neither the real home nor its login scripts; programs of `offer` come first
            f"SetEnv HOME={self.home} PATH={self.folder / 'bin'}:{os.environ['PATH']}",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")

    def _write_client_configuration(self):
        self.config.write_text(
            f"Host board\n  HostName 127.0.0.1\n  Port {self.port}\n  User {self.user}\n"
            f"Host *\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile none\n"
        )

    def know(self, public_key):
        """Make a host key the known one."""
        kind, key = public_key.read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def offer(self, name, script):
        """Put a program on the board."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def offer_python(self):
        """Let the board's `python3` be the one that runs the tests: it has a TFLite runtime."""
        return self.offer("python3", f'exec "{sys.executable}" "$@"')

    def start(self):
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # its empty folder for separated privileges
        command = [
            shutil.which("sshd", path=PATH),
            "-D",
            "-f",
            str(self.folder / "sshd_config"),
            "-E",
            str(self._log),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(self._log.read_text(errors="replace"))

    def daemons(self):
        """The sshd that listens and those that serve a connection, without what they run."""
        try:
            listener = psutil.Process(self.process.pid)
            found = [listener, *listener.children(recursive=True)]
        except psutil.Error:
            return []
        return [process for process in found if is_sshd(process)]

    def kill(self):
        """Kill the listening sshd and those that serve a connection: to the other side the board is gone.

        They are stopped first, until there is no new one: what one of them forks meanwhile would live on.
        """
        stopped = set()
        while new := [one for one in self.daemons() if one.pid not in stopped]:
            stopped.update(one.pid for one in new)
            send(new, signal.SIGSTOP)
        self.signal(signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def signal(self, number):
        send(self.daemons(), number)

    def fingerprint(self, key="host_key.pub"):
        """`SHA256:…` of a public key, as ssh-keygen says it."""
        done = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / key)], capture_output=True, text=True, check=True
        )
        return done.stdout.split()[1]

    @property
    def url(self):
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    def device(self, name="board", **settings):
        from harness.drivers.ssh.device import SshDevice

        return SshDevice(name, **{"host": "127.0.0.1", "port": self.port, "user": self.user, **settings})


def send(processes, number):
    for process in processes:
        with suppress(psutil.Error):  # ended meanwhile
            process.send_signal(number)


def is_sshd(process):
    try:
        return process.name().startswith("sshd")
    except psutil.Error:  # ended meanwhile
        return False


def make_key(path, passphrase=""):
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)], check=True
    )
