"""Granting certificates: authenticated caller in, certificate chain out.

Source: istiod's ``IstioCertificateService.CreateCertificate``: fields ``csr`` and
``validityDuration`` (seconds), answer ``certChain`` (leaf first, root last). The SAN is always the
caller's own identity, never what the request asks for.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.ca.authority import Authority, SigningError
from meshcourse.embedded.istiod.ca.identity import Identity

log = logging.getLogger("serverca")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds.

    :param default: ``DEFAULT_WORKLOAD_CERT_TTL``.
    :param maximum: ``MAX_WORKLOAD_CERT_TTL``.
    """

    default: float = 24 * 3600.0
    maximum: float = 90 * 24 * 3600.0


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Signer:
    """Signs for workloads."""

    def __init__(
        self,
        authority: Authority,
        lifetimes: Lifetimes,
        now: Callable[[], dt.datetime] = _now,
    ) -> None:
        self.authority = authority
        self._lifetimes = lifetimes
        self._now = now

    def sign(self, csr: str, identity: Identity, seconds: float) -> list[str]:
        """The chain for `identity`: leaf, root. `seconds` of 0 asks for the default lifetime.

        :raises SigningError: if the request is malformed or asks for too long a life.
        """
        metrics.CSR.inc()
        wanted = seconds or self._lifetimes.default
        if wanted < 0 or wanted > self._lifetimes.maximum:
            metrics.CSR_SIGN_ERRORS.inc(error="TTL_ERROR")
            raise SigningError(
                f"CSR signing error (requested TTL {wanted:g}s is greater than the max allowed "
                f"TTL {self._lifetimes.maximum:g}s)"
            )
        try:
            leaf = self.authority.sign(
                csr, uris=[str(identity)], lifetime=dt.timedelta(seconds=wanted), now=self._now()
            )
        except SigningError:
            metrics.CSR_SIGN_ERRORS.inc(error="CSR_ERROR")
            raise
        metrics.CSR_SUCCESS.inc()
        return [leaf, self.authority.root]
