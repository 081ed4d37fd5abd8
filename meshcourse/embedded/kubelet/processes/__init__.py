"""Starting, naming and ending processes: the fork server, its wire format, its client in the daemon.

Belongs here: what knows about pids, file descriptors, signals and terminals. Does not belong here: Pods or the
Kubernetes API. `server`, `child`, `title` and `wire` run in the fork server and import the standard library only.
"""
