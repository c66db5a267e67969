"""Arithmetic on arrays that is worth a form of its own. Every function can be called with no layer."""
