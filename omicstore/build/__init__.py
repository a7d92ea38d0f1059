"""From source files to a store: plan, build each cohort, assemble.

`plan.plan` says what each cohort is made of, by content hash; `cohort.build_cohort` reads, harmonises and writes one
cohort; and `store.assemble_study` joins the cohorts into one store. Each is a stage of dvc.yaml.
"""
