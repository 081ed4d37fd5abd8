"""``istioctl analyze`` as a function: objects in, messages out. Pure, no I/O.

Belongs here: the wording of messages (`codes`, `messages`), the objects under analysis (`item`,
`collection`, `documents`), one module per group of analyzers, `catalogue` with all of them. Does not
belong here: where objects come from and how messages are printed (`istioctl.commands.analyze`),
checks of one object alone (`istio.validate`, which `schema` calls).
"""
