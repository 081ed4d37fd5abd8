"""Snapshot and proxy in, Envoy resources out.

Belongs here: putting the builders' parts together for one proxy, and remembering parts so that an
unchanged one is the same object the next time. Does not belong here: what a part looks like
(`build`).
"""

from __future__ import annotations

from meshcourse.embedded.istio.translate.translator import Translator

__all__ = ["Translator"]
