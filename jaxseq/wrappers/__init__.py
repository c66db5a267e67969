"""scikit-learn's estimators around a model: `from jaxseq.wrappers import SKLearnClassifier`. Needs jaxseq[sklearn]."""

from jaxseq.api.wrappers.keras3 import (
    SKLearnClassifier as SKLearnClassifier,
    SKLearnRegressor as SKLearnRegressor,
    SKLearnTransformer as SKLearnTransformer,
)
