"""The embedded engine: what makes a laptop look like a cluster."""
