"""The functional core: pure functions and frozen declarations. No files, no clock, no global, no mutation.

Reading order: types, rng, layer, chain, layers/dense, run.
"""
