"""Who may use a phone: a server that speaks the CNXN/AUTH exchange as a phone does."""

import contextlib
import hashlib
import socket
import stat
import struct
import threading
import time

import pytest
from adb_shell.auth.keygen import decode_pubkey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from harness.drivers.adb.device import AdbDevice
from harness.drivers.adb.keys import Keys, key_paths, make_key, user_key
from harness.errors import DeviceError, UsageError

TOKEN = hashlib.sha1(b"a token", usedforsecurity=False).digest()
BANNER = b"device::ro.product.model=Fake;features=shell_v2,cmd\0"


def message(name, arg0, arg1, data=b""):
    command = int.from_bytes(name, "little")
    return struct.pack("<6I", command, arg0, arg1, len(data), sum(data), command ^ 0xFFFFFFFF) + data


class Phone(threading.Thread):
    """Asks for authentication; `trusted` are the private keys it knows."""

    def __init__(self, trusted=(), allow_after_s=None, first=b"AUTH"):
        super().__init__(daemon=True)
        self._trusted = [self._public(path) for path in trusted]
        self._allow_after_s, self._first = allow_after_s, first
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.shown: list[bytes] = []
        self.connections = 0
        self.start()

    @staticmethod
    def _public(path):
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(path.read_bytes(), None).public_key()

    def run(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError, AssertionError):
                self._serve(connection)

    def _serve(self, connection):
        self._receive(connection)
        if self._first != b"AUTH":
            connection.sendall(message(self._first, 0x01000000, 0))
            return
        connection.sendall(message(b"AUTH", 1, 0, TOKEN))
        while True:
            name, arg0, _, data = self._receive(connection)
            if name == b"AUTH" and arg0 == 2 and self._knows(data):
                connection.sendall(message(b"CNXN", 0x01000001, 1 << 20, BANNER))
            elif name == b"AUTH" and arg0 == 2:
                connection.sendall(message(b"AUTH", 1, 0, TOKEN))
            elif name == b"AUTH" and arg0 == 3:
                self.shown.append(data)
                if self._allow_after_s is None:
                    continue
                time.sleep(self._allow_after_s)
                connection.sendall(message(b"CNXN", 0x01000001, 1 << 20, BANNER))
            elif name == b"OPEN":
                connection.sendall(message(b"CLSE", 0, arg0))

    def _knows(self, signature):
        for key in self._trusted:
            try:
                key.verify(signature, TOKEN, padding.PKCS1v15(), utils.Prehashed(hashes.SHA1()))
            except InvalidSignature:
                continue
            return True
        return False

    @staticmethod
    def _receive(connection):
        header = connection.recv(24, socket.MSG_WAITALL)
        assert len(header) == 24
        command, arg0, arg1, size, _, _ = struct.unpack("<6I", header)
        data = connection.recv(size, socket.MSG_WAITALL) if size else b""
        return command.to_bytes(4, "little"), arg0, arg1, data

    def stop(self):
        self._server.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    paths = [tmp_path_factory.mktemp("keys") / name for name in ("first", "second")]
    for path in paths:
        make_key(path)
    return paths


@pytest.fixture
def phone(request):
    phones = []

    def start(**settings):
        phones.append(Phone(**settings))
        return phones[-1]

    yield start
    for each in phones:
        each.stop()


def refused_service(phone, keys, **settings):
    """A device behind the exchange refuses every service: the error of a service proves that it let us in."""
    device = AdbDevice("phone", host="127.0.0.1", port=phone.port, keys=Keys(keys), **settings)
    try:
        with pytest.raises(DeviceError) as caught:
            device.run(["true"], timeout_s=60)
    finally:
        device.close()
    return str(caught.value)


def test_a_known_key_is_let_in(phone, keys):
    server = phone(trusted=keys[:1])
    assert "refuses the service" in refused_service(server, keys[:1])
    assert not server.shown


def test_the_second_key_is_tried_when_the_first_is_unknown(phone, keys):
    server = phone(trusted=keys[1:])
    assert "refuses the service" in refused_service(server, keys)
    assert not server.shown


def test_an_unknown_key_is_let_in_when_the_user_taps_allow_after_four_seconds(
    phone, keys, caplog, monkeypatch
):
    monkeypatch.setattr("harness.drivers.adb.link.HANDSHAKE_S", 2.0)
    server = phone(allow_after_s=4.0)
    assert "refuses the service" in refused_service(server, keys[:1], auth_timeout_s=30)
    assert server.shown[0].rstrip(b"\0") == keys[0].with_name("first.pub").read_bytes()
    assert "tap “Allow”" in caplog.text


def test_a_phone_whose_user_does_not_tap_is_unauthorized_and_the_remedy_is_said(phone, keys):
    begin = time.monotonic()
    text = refused_service(phone(), keys[:1], auth_timeout_s=1.0)
    assert text.startswith("phone: the phone does not trust this computer yet: unlock it, tap “Allow”")
    assert time.monotonic() - begin < 20


def test_wireless_debugging_is_recognized_and_the_way_out_said(phone, keys):
    text = refused_service(phone(first=b"STLS"), keys[:1])
    assert "wireless debugging" in text
    assert "adb tcpip 5555" in text


def test_something_that_is_no_phone_is_said(phone, keys):
    assert "does not speak ADB (it sent b'HTTP')" in refused_service(phone(first=b"HTTP"), keys[:1])


def test_a_key_is_made_only_for_its_owner_and_only_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDROID_USER_HOME", str(tmp_path / "android"))
    monkeypatch.delenv("ADB_VENDOR_KEYS", raising=False)
    first = user_key()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    before = first.read_bytes()
    decode_pubkey(first.with_name("adbkey.pub").read_bytes().split()[0])
    assert key_paths() == [first]
    assert user_key().read_bytes() == before
    assert sorted(path.name for path in first.parent.iterdir()) == ["adbkey", "adbkey.pub"]


def test_vendor_keys_are_tried_before_the_user_s(tmp_path, monkeypatch, keys):
    monkeypatch.setenv("ANDROID_USER_HOME", str(keys[0].parent))
    (tmp_path / "vendor.adb_key").write_bytes(keys[1].read_bytes())
    keys[0].with_name("adbkey").write_bytes(keys[0].read_bytes())
    monkeypatch.setenv("ADB_VENDOR_KEYS", f"{tmp_path}:{keys[1]}:/no/such/key")
    assert key_paths() == [tmp_path / "vendor.adb_key", keys[1], keys[0].with_name("adbkey")]


def test_a_key_without_its_public_half_works(phone, keys, tmp_path):
    (tmp_path / "alone").write_bytes(keys[0].read_bytes())
    signer = Keys([tmp_path / "alone"])[0]
    assert signer.GetPublicKey().split()[0] == keys[0].with_name("first.pub").read_text().split()[0]


def test_a_file_that_is_no_key_is_named(tmp_path):
    (tmp_path / "nonsense").write_text("nonsense")
    with pytest.raises(UsageError, match="nonsense: not a private key of adb"):
        Keys([tmp_path / "nonsense"])[0]


def test_keys_are_rsa_of_2048_bits(keys):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(keys[0].read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
