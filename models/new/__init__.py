"""Everyday use of a trained model: the place, the missing modalities and the risk of patients it has never seen."""
