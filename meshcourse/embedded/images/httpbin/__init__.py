"""httpbin: answers that tell what was asked; paths and JSON shapes of go-httpbin 2.15.

Belongs here: the image ``mccutchen/go-httpbin``. Left out of the original: images, digest authentication, ranges,
links, trailers and the UTF-8 page, which no mesh lesson needs. I/O is allowed: this is a workload.
"""
