"""Keras's data sets, and the digits, which come with the package."""
