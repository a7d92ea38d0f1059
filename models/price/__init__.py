"""The leak price list: the same models under splits that leak more and splits that leak less, side by side."""
