"""Stand-ins for the mesh's add-ons that serve the real ones' HTTP APIs.

Belongs here: one package per add-on (``prometheus`` …), each a workload behind the real image's name. I/O: yes, except
where a module says otherwise. Does not belong here: the course's clients of those APIs (`observe`), Istio's
translation.
"""
