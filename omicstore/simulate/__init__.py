"""A simulated study with known truth, in the file layouts of public portals.

`COHORTS`, `LATENTS`, `HAZARD` and `PANEL` describe the design; `simulate` writes the files.
"""

from omicstore.simulate.design import AGE_EFFECT, COHORTS, HAZARD, LATENTS, PANEL, CohortDesign, Panel
from omicstore.simulate.study import simulate

__all__ = ["AGE_EFFECT", "COHORTS", "HAZARD", "LATENTS", "PANEL", "CohortDesign", "Panel", "simulate"]
