"""Validation of a store: profile tables, Great Expectations suites written in code, and the offline report."""
