"""What ``istioctl install`` applies: objects by component. Pure.

Belongs here: profiles and options (`profiles`, `options`), and the objects of each component (`base`,
`pilot`, `gateways`), by the names and with the fields of Istio's charts. Does not belong here: talking to a
cluster, CRD schemas (`istioctl.crds`). No I/O.
"""
