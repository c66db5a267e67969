"""Data made ready for a model, on NumPy: nothing here is compiled."""
