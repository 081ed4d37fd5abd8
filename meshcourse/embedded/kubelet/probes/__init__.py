"""Probes: the checks themselves (exec, HTTP, TCP, gRPC) and the schedule that turns their results into readiness.

Belongs here: what kubelet's prober does. Does not belong here: deciding what a failed probe means for a pod
beyond restarting the container. Probes go to the address at which the container itself listens.
"""
