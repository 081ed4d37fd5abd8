"""How fast and how big: figures measured in one run on this machine, never asserted (``make bench``)."""
