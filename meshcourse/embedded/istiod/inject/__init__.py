"""Putting the sidecar into pods. Pure: a pod in, a pod out.

The webhook and ``istioctl kube-inject`` share it. Belongs here: whether a pod is injected
(`policy`), what is added (`proxy`, `volumes`), how the user's own settings win (`overlay`), what
changes for the application (`application`). Does not belong here: HTTP, watching the API. No I/O.
"""
