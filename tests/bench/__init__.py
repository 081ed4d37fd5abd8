"""How fast and how big, measured here and now: ``make bench``.

One run measures everything on a cluster of its own, prints it, and writes it as JSON. Figures of different machines do
not compare; ratios and stages do. Nothing is asserted here: what must hold is in the tests.
"""
