"""Logs, exec, attach and port-forward: what the API server passes through to a node.

Belongs here: wire protocols (WebSocket channel protocol, SPDY frames) and the `NodeBackend`
interface that the kubelet implements.
"""
