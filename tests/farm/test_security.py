"""Loopback unless told otherwise, TLS by option, a warning where neither is; without the extra, what to install."""

import os
import signal
import subprocess
import sys
import time

import pytest

from harness.bench.request import Tls
from harness.errors import UsageError
from harness.farm.security import full_address, is_loopback, make_security, why_unsafe


@pytest.mark.parametrize(
    ("text", "tls", "expected"),
    [
        ("rack1", Tls(), "tcp://rack1:8786"),
        ("127.0.0.1:99", Tls(), "tcp://127.0.0.1:99"),
        ("tcp://[::1]:99", Tls(), "tcp://[::1]:99"),
        ("rack1", Tls(ca="a"), "tls://rack1:8786"),
    ],
)
def test_addresses_are_completed(text, tls, expected):
    assert full_address(text, tls) == expected


@pytest.mark.parametrize(
    "text", ["", "http://rack1", "tcp://", "rack1:port", "rack1:99999", "tcp://a/b", "tls://rack1"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="scheduler"):
        full_address(text, Tls())


def test_only_an_address_that_others_reach_without_tls_is_warned_of():
    assert (
        is_loopback("tcp://127.0.0.7:1") and is_loopback("tcp://localhost:1") and is_loopback("tcp://[::1]:1")
    )
    assert why_unsafe("tcp://127.0.0.1:8786", Tls()) is None
    assert why_unsafe("tls://10.0.0.1:8786", Tls(ca="x")) is None
    assert "runs code for whoever reaches it" in why_unsafe("tcp://10.0.0.1:8786", Tls())


def test_tls_takes_all_three_files_and_says_which_is_missing(tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    with pytest.raises(UsageError, match="--tls-cert is missing"):
        make_security(Tls(ca=str(tmp_path / "ca.pem")))
    with pytest.raises(UsageError, match=r"--tls-ca: .*gone\.pem is not a file"):
        make_security(Tls(ca=str(tmp_path / "gone.pem"), cert="b", key="c"))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority and one certificate that it signed, by openssl."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    try:
        openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            "/CN=lab",
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=host"
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "host.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "host.pem",
    )
    return folder


def test_with_certificates_a_farm_is_encrypted_and_strangers_are_kept_out(own_farm, certificates):
    from harness.errors import FarmError
    from harness.farm.link import Link

    own_farm.kill("scheduler")
    places = {"ca": "ca.pem", "cert": "host.pem", "key": "host.key"}
    files = {name: str(certificates / place) for name, place in places.items()}

    plain, own_farm.address = own_farm.address, f"tls://{own_farm.address}"
    options = [part for name, file in files.items() for part in (f"--tls-{name}", file)]
    own_farm.start_worker("a", "--with-scheduler", "--dashboard", "", *options)
    deadline = time.monotonic() + 120
    while "joined" not in own_farm.log("a"):
        assert time.monotonic() < deadline, own_farm.log("a")
        time.sleep(0.1)
    link = Link(own_farm.address, make_security(Tls(**files)))
    assert [offer.name for host in link.describe_hosts() for offer in host.description.offers] == ["local@a"]
    link.close()
    with pytest.raises(FarmError):
        Link(f"tcp://{plain}")


def test_a_worker_with_a_scheduler_listens_on_loopback_alone_and_ends_in_order(own_farm):
    import psutil

    own_farm.kill("scheduler")
    own_farm.start_worker("a", "--with-scheduler", "--dashboard", "")
    own_farm.wait_for_scheduler("a")
    own_farm.wait_for_hosts(1)
    process = own_farm.processes["a"]
    listening = [c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"]
    assert listening and set(listening) <= {"127.0.0.1", "::1"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    assert "Traceback" not in own_farm.log("a")


WITHOUT = """
import sys
sys.modules["distributed"] = None
from harness.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [["run", "shapes-float32", "--scheduler", "127.0.0.1"], ["devices", "--scheduler", "x"], ["worker"]],
)
def test_without_the_extra_the_commands_say_what_to_install(arguments, repository):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert ended.returncode == 2 and " -m pip install " in ended.stderr and "[cluster]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_no_other_command_loads_dask(repository):
    code = (
        "import sys, harness.cli.run, harness.cli.devices, harness.cli.worker, harness.session;"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in {'distributed', 'dask', 'tornado'}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert ended.stdout.strip() == "[]"
