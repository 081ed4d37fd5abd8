"""Who may see an object: ``exportTo``. Source: istio.io reference (``.`` same namespace, ``*`` all,
``~`` nobody).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshcourse.embedded.istio.model import Config


def visible(export_to: Iterable[str], owner: str, viewer: str) -> bool:
    """Whether an object of namespace `owner` is visible in namespace `viewer`."""
    names = set(export_to)
    if "~" in names:
        return False
    return "*" in names or viewer in names or (owner == viewer and "." in names)


def of_config(config: Config, default: Sequence[str], viewer: str) -> bool:
    """Whether `viewer` sees the object; `default` applies where it does not say."""
    return visible(config.spec.get("exportTo") or default, config.namespace, viewer)
