"""What is no leak and spoils a result all the same."""
