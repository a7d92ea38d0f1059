"""The store: the only code that knows the on-disk format.

`writer` writes a cohort and assembles a release, `reader` opens one, `query` finds samples and features, `values` reads
their numbers, `enforce` lets held-out rows out only through a state fitted on training rows.
"""
