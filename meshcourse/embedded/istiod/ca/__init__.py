"""istiod's certificate authority: a root, and short-lived certificates for proven identities.

Belongs here: keys and certificates (`authority`, pure but for randomness), keeping the root in a
Secret (`store`), finding out who asks (`tokens`) and what is granted (`signer`). Does not belong
here: where workloads keep their certificates (`istiod.agent`), TLS configuration of Envoy
(`embedded.istio`).
"""
