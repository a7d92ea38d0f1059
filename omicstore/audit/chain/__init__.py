"""The links from the release to the metric."""
