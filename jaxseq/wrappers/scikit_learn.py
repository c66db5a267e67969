"""Keras 2's estimators around a model: `from jaxseq.wrappers.scikit_learn import KerasClassifier`. Needs jaxseq[sklearn]."""

from jaxseq.api.wrappers.keras2 import KerasClassifier as KerasClassifier, KerasRegressor as KerasRegressor
