"""The leaks L1 to L13, a module for each kind."""
