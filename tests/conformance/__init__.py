"""Which field of Istio's API is proved by which live test.

Belongs here: the table (``table.yaml``), the fields of the CRDs (`fields`), the report that compares them
(``python -m tests.conformance``), and the page that is generated from it. The tests named in the table live in
tests/integration; the test of the table itself is tests/unit/conformance.
"""
