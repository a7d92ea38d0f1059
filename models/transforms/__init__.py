"""Transforms that are fitted on training rows alone, and the state that says so."""

from models.transforms.pipeline import FittedPipeline, fit_pipeline
from models.transforms.state import TransformState, fit_state, load_state

__all__ = ["FittedPipeline", "TransformState", "fit_pipeline", "fit_state", "load_state"]
