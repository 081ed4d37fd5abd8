"""Online Boutique, the shop in eleven services over gRPC, written by us to upstream's behaviour.

Belongs here: the services of GoogleCloudPlatform/microservices-demo, their redis, and the load generator. What is kept
identical is what a learner, a check or another implementation can measure: protobuf package `hipstershop` on the wire,
ports, environment variables, the calls that each page makes, prices, codes. Words and drawings are our own.
I/O is allowed: these are workloads.
"""
