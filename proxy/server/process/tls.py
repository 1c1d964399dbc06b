"""HTTPS by certificate files, which are read again when they change."""

import os
import ssl
from typing import Self

from proxy.config import Security


class CannotUseCertificateError(Exception):
    """The certificate or its key cannot be used; the sentence names the key of the configuration."""


class Certificate:
    """A certificate chain and its key, and the context of all connections that are made with them."""

    def __init__(self, certificate: str, key: str) -> None:
        """Read the files. CannotUseCertificateError when that does not work."""
        self._certificate, self._key = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._standing()
        self._load()

    @classmethod
    def of(cls, security: Security) -> Self | None:
        """Return what a configuration names, None when it names nothing."""
        if security.tls_certificate is None or security.tls_key is None:
            return None
        return cls(security.tls_certificate, security.tls_key)

    def renew(self) -> bool:
        """Read the files again if they have changed, for the connections to come; return whether they had.

        CannotUseCertificateError: what is there now cannot be used, and what was there before stays in use.
        """
        standing = self._standing()
        if standing == self._seen:
            return False
        self._seen = standing
        Certificate(self._certificate, self._key)  # a context that took half of them would serve nobody
        self._load()
        return True

    def _standing(self) -> list[tuple[int, int, int]]:
        found = []
        for key, path in (("tls_certificate", self._certificate), ("tls_key", self._key)):
            try:
                status = os.stat(path)
                with open(path, "rb"):
                    pass
            except OSError as error:
                raise CannotUseCertificateError(
                    f"security.{key}: {path} cannot be read: {error.strerror}"
                ) from None
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return found

    def _load(self) -> None:
        try:
            self.context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except ValueError:
            raise CannotUseCertificateError(
                f"security.tls_key: {self._key} has a password; give one without"
            ) from None
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or str(error)
            hint = {
                "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
                "NO_START_LINE": "this is no PEM file",
            }.get(reason, reason)
            raise CannotUseCertificateError(
                f"security.tls_certificate {self._certificate} with security.tls_key {self._key}: {hint}"
            ) from None


def _no_password() -> str:
    raise ValueError("a password is asked for")
