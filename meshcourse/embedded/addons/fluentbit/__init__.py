"""The stand-in for Fluent Bit: takes the Fluentd forward protocol, keeps what fits, prints it, and can be asked.

Belongs here: `forward` (the protocol, pure), `store` (bounded memory), `receiver` (TCP) and the HTTP side. The query by
request id is ours; the real program only prints.
"""
