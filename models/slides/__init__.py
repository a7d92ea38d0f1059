"""Slides in batches: a fixed number of patches of each sample, as feature vectors or as images."""
