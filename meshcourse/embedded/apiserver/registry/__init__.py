"""Which kinds are served, under which names and with which subresources.

Belongs here: the table of built-in kinds, kinds made from CustomResourceDefinitions, conversion between versions.
Does not belong here: schemas and validation (``schemas``, ``validation``), storage, HTTP. I/O: no.
"""
