"""The Bookinfo sample: productpage → details, reviews → ratings, written by us to upstream's behaviour.

Belongs here: the four services in all their versions, the stand-in databases of ratings v2, and the pages.
What is kept identical is what a learner or a check can measure: paths, status codes, JSON, forwarded headers,
environment variables, timeouts and retries (istio/istio, samples/bookinfo/src). Prose and pages are our own.
I/O is allowed: these are workloads.
"""
