"""From source files to a store: plan, build each cohort, assemble.

`plan` says what each cohort is made of, by content hash; `build_cohort` reads, harmonises and writes one cohort; and
`assemble` joins the cohorts into one store. Each is a stage of dvc.yaml.
"""

from __future__ import annotations

from omicstore.build.cohort import build_cohort
from omicstore.build.plan import load_plan, plan
from omicstore.build.store import assemble_study, build_study

__all__ = ["assemble_study", "build_cohort", "build_study", "load_plan", "plan"]
