"""The offline report of a trained model."""
