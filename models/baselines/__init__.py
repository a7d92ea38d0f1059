"""Simple predictors that every model stands beside."""
