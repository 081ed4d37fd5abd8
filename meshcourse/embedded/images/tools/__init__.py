"""Programs that a learner types inside a container: curl, nc, wget, fortio.

Belongs here: command-line programs named in `images.EXECUTABLES`. Each honours the pod's proxy variables, so that what
it sends goes through the sidecar like the traffic of any application. I/O is allowed.
"""
