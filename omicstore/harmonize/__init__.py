"""From a reader's `RawTable` to canonical samples, features and units.

`references` holds the reference tables; `samples` says who a profile was measured in; `genes`, `probes`, `antibodies`
and `metabolites` say what a feature is; `axis` does the arithmetic; `assay` joins these for one source, `combine` joins
the sources of a modality and chooses among replicates; `tables` makes the catalogue.
"""
