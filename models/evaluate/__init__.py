"""What the test part says of a trained model."""
