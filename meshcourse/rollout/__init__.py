"""Releases: how visitors are divided between versions, moved while they come, and who decides on it.

Belongs here: the weights of a VirtualService (`weights`, pure), setting them in a cluster (`splitter`), when a split
arrived, told from the answers alone (`arrival`, pure), a measured split (`split`, `moving`), and the canary that
promotes or rolls back by itself (`judging`, pure; `canary`). Does not belong here: pictures, widgets, sending traffic
(that is `observe`). I/O is allowed, except where it says pure.
"""
