"""Chaos: servers that are killed at every step of their work, under a load that knows what must come of it.

Nothing here is a hook in the product: a server under test is started by a launcher (`victim`) that wraps
methods of the product at run time.
"""
