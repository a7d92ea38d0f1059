"""The catch and false-alarm table: every known leak planted in real study folders, and audited."""
