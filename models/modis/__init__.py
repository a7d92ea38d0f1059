"""MODIS: variational autoencoders that share a latent space, held together by an adversary that also classifies."""
