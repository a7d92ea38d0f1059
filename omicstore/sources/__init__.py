"""The study file: which upstream file is what."""

from omicstore.sources.declared import ENDPOINTS, FollowUp, Reference, Sampling, Source, Study
from omicstore.sources.study_file import REFERENCE_FORMATS, load_study

__all__ = ["ENDPOINTS", "REFERENCE_FORMATS", "FollowUp", "Reference", "Sampling", "Source", "Study", "load_study"]
