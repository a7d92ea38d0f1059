"""Model cards: what a trained model is, was trained on and is worth, out of sealed files and nothing else."""
