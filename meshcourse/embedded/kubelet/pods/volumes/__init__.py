"""Volumes of a Pod: directories below the pod's own, files kept equal to ConfigMaps, Secrets, tokens and fields.

Belongs here: collecting content, writing it atomically, linking it into containers. Mounts are symlinks, so a
container sees what a real one sees, at ``$MESHCOURSE_ROOT/<mountPath>``. Offered: configMap, secret, emptyDir,
projected, downwardAPI and hostPath, the last below the node's own root in the state directory and never the
learner's disk. Not offered, and said so in a FailedMount event: everything that needs a storage driver.
"""
