"""``istioctl proxy-config``: what an Envoy really has, read from its admin interface.

One file per kind of configuration: each turns the parts of a dump into rows (pure), the rest is here.
Columns and filters as in Istio's istioctl.
"""

from __future__ import annotations

from meshcourse.embedded.istioctl.commands.proxy_config.command import add

__all__ = ["add"]
