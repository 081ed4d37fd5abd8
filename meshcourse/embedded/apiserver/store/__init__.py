"""Where objects live: memory for reading, SQLite (WAL) for surviving, a ring of events for watches.

Belongs here: keys, revisions, durability, fan-out. Does not belong here: what an object means, HTTP, admission.
I/O: the state directory only.
"""
