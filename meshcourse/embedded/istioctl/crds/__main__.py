"""The Gateway API's CRDs as YAML, for ``labs/addons/gateway-api.yaml``: run this package."""

from __future__ import annotations

import copy
import sys

import yaml

from meshcourse.embedded.istioctl.crds import definitions

HEAD = """\
# The kinds of the Gateway API, as Istio serves them; a cluster has them only if somebody installs them.
# Written by `python -m meshcourse.embedded.istioctl.crds`. The label tells them from those of somebody else.
"""
LABELS = {"app.kubernetes.io/part-of": "meshcourse"}


def text() -> str:
    """The file."""
    found = copy.deepcopy(definitions.gateway_api())
    for crd in found:
        crd["metadata"]["labels"] = LABELS
    return HEAD + yaml.dump_all(found, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors: nobody writes those."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    sys.stdout.write(text())
