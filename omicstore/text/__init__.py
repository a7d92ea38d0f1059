"""Pathology reports as text: cleaning, redaction of what gives a label away, sentences and their embeddings."""
