"""The verbs of the API on objects, without HTTP: create, read, update, patch, delete, watch, subresources.

Belongs here: the order of decoding, defaulting, admission, validation, field ownership and storage. Does not belong
here: headers and URLs (``http``), what a kind requires (``schemas``, ``validation``). I/O: through store and admission.
"""
