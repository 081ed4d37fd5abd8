"""The small samples: helloworld, tcp-echo, a page for nginx, pause, and images that only run a program.

Belongs here: images of one module that belong to no larger application. I/O is allowed: these are workloads.
"""
