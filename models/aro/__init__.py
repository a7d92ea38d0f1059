"""ARO: an autoencoder over concatenated modalities."""
