"""The embedded cluster as one process, and the launcher that starts, finds and stops it.

Belongs here: joining API server, controllers and kubelet (`main`), the state directory (`state`), the processes that
belong to a cluster (`census`), and `launcher`, the only module of the engine that the course imports (standard library
only, so that a command line starts quickly). Does not belong here: behaviour of any of the parts.
"""
