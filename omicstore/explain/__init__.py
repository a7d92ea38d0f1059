"""What became of an identifier, and why: by its form, by the study's references, and by the store."""
