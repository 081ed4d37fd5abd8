"""Names that controllers make up: template hashes and random suffixes.

Source: ``k8s.io/apimachinery/pkg/util/rand``: an alphabet without vowels and look-alikes, so that no words arise.
"""

from __future__ import annotations

import json
import random

from meshcourse.embedded.kube.objects import Object

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def suffix(length: int = 5) -> str:
    """A random suffix as ``generateName`` appends it."""
    return "".join(random.choices(ALPHABET, k=length))


def template_hash(template: Object, collisions: int = 0) -> str:
    """The value of ``pod-template-hash``: the same for the same template and collision count, on every machine."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    number = _fnv1a(text.encode() + (str(collisions).encode() if collisions else b""))
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(number))


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 32 bits: public-domain hash, the one Kubernetes uses for this purpose."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
