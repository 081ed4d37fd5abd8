"""fortio: the load generator of Istio's circuit-breaking task, in the part that it uses.

``fortio load`` (options → runner over `connection` → `results`), ``fortio curl`` and ``fortio server``, printing
fortio's result lines (github.com/fortio/fortio).
"""
