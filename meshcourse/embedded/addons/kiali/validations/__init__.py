"""Kiali's validations of Istio configuration: one pure function per subject, each yields findings. No I/O.

`run` applies them all to a `Mesh`. Source: Kiali's validation reference (codes, severities, paths).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.validations import (
    destination_rules,
    gateways,
    mtls,
    policies,
    selection,
    services,
    virtual_services,
)
from meshcourse.embedded.addons.kiali.validations.codes import Finding

Checker = Callable[[Mesh], Iterator[Finding]]
CHECKERS: Final[tuple[Checker, ...]] = (
    virtual_services.check,
    destination_rules.check,
    mtls.check,
    gateways.check,
    policies.check,
    selection.check,
    services.check,
)


def run(mesh: Mesh) -> list[Finding]:
    """All findings, each once."""
    return list(dict.fromkeys(finding for checker in CHECKERS for finding in checker(mesh)))
