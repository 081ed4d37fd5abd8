"""Who is calling, and may they: tokens, client certificates, RBAC, and the review APIs that answer about both.

Belongs here: authentication, authorization, the bootstrap roles. Does not belong here: admission. I/O: no.
"""
