"""Container logs: files with time stamps as a container runtime writes them, and reading them back.

Belongs here: the file format, rotation, followers, selection by `LogOptions`. Does not belong here: Pods, or
which container is meant.
"""
