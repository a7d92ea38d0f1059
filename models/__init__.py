"""Multi-omics models that can only be trained and judged on a split.

`batch` is the contract between the store and every model; `transforms` are fitted on training rows alone and keep a
state that says so; each model has a folder with its module, its presets and its card.
"""
