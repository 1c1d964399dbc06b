"""HTTPS by certificate files."""

import datetime
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.server import background
from proxy.server.process.tls import CannotUseCertificateError, Certificate
from tests.server.test_background import request, until


def make(folder: Path, password: bytes | None = None) -> tuple[str, str]:
    """Write a self-signed certificate for localhost and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    folder.mkdir(exist_ok=True)
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return str(folder / "c.pem"), str(folder / "k.pem")


def is_trusted(context: ssl.SSLContext, certificate: bytes) -> bool:
    """Tell whether a client that trusts one certificate alone accepts what a server shows."""
    client = ssl.create_default_context(cadata=certificate.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for end in (theirs, ours, theirs, ours):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True


def test_a_certificate_that_changes_is_read_again(tmp_path: Path) -> None:
    """New connections get the new one; what cannot be used leaves the old one in use."""
    files, others = make(tmp_path / "a"), make(tmp_path / "b")
    first, second = Path(files[0]).read_bytes(), Path(others[0]).read_bytes()
    certificate = Certificate(*files)
    assert not certificate.renew()
    assert is_trusted(certificate.context, first)
    assert not is_trusted(certificate.context, second)
    for new, old in zip(others, files, strict=True):
        os.replace(new, old)
    assert certificate.renew()
    assert is_trusted(certificate.context, second)
    Path(files[1]).write_text("no key")
    with pytest.raises(CannotUseCertificateError):
        certificate.renew()
    assert not certificate.renew()
    assert is_trusted(certificate.context, second)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    """Each mistake is a sentence with the key of the configuration."""
    good, other = make(tmp_path / "a"), make(tmp_path / "b")
    locked = make(tmp_path / "c", password=b"hush")
    (tmp_path / "empty").touch()
    empty, none = str(tmp_path / "empty"), str(tmp_path / "none")
    for files, said in (
        ((none, good[1]), "security.tls_certificate: .*No such file"),
        ((good[0], none), "security.tls_key: .*No such file"),
        ((good[0], other[1]), "does not belong"),
        ((good[0], locked[1]), "has a password"),
        ((empty, good[1]), "security.tls_certificate"),
        ((good[0], empty), "security.tls_key"),
    ):
        with pytest.raises(CannotUseCertificateError, match=said):
            Certificate(*files)


def test_a_server_speaks_https(tmp_path: Path) -> None:
    """`serve` with a certificate answers over HTTPS and says so; one that cannot be used stops it with a sentence."""
    certificate, key = make(tmp_path / "tls")
    config = tmp_path / "config.yaml"
    config.write_text(f"security: {{tls_certificate: tls/c.pem, tls_key: {key}}}")
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "--config", str(config)]
    with subprocess.Popen([*command, "--port", "0", "serve"], stderr=subprocess.DEVNULL) as process:
        said = until(lambda: background.server_address(str(data_dir)))
        assert said["url"].startswith("https://127.0.0.1:")
        said["url"] = said["url"].replace("127.0.0.1", "localhost")
        trusting = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(request(said, "/status"), timeout=120, context=trusting) as response:
            assert response.status == 200
        process.terminate()
        assert process.wait(120) == 0
    Path(key).write_text("no key")
    for words in (["serve"], ["config", "check"]):
        ran = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=120)
        assert (ran.returncode > 0, "security.tls_key" in ran.stderr) == (True, True)
