"""How a patch changes an object: JSON patch, merge patch, strategic merge patch, server-side apply.

Belongs here: pure functions over plain dictionaries; what a patch must know of a kind's schema comes in as
`meta.Structure`. Does not belong here: I/O, schemas themselves, HTTP.
"""
