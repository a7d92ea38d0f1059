"""Part of omicstore."""
