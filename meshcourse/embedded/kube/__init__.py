"""The grammar of Kubernetes objects: references, selectors, quantities, patches, errors, addresses.

Belongs here: pure functions and frozen values over plain dictionaries. Does not belong here: I/O, clocks
other than `objects.now`, knowledge of Istio, storage.
"""
