"""What may be changed or refused between decoding and storing: built-in plugins and webhooks.

Belongs here: the order of admission, namespace lifecycle, service accounts, webhook matching and calling. Does not
belong here: field validation. I/O: HTTPS calls to webhooks.
"""
