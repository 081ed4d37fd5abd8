"""The API server: stores objects, admits and validates them, serves list, watch and discovery over HTTPS.

Belongs here: storage, HTTP, discovery, admission, authentication and authorization, field ownership, streams.
Does not belong here: what reconciles objects (controllers), what runs pods (kubelet), anything of Istio. I/O: yes.
Start reading at `server.Server`; every write goes through `registry` → `rest` → `store`.
"""
