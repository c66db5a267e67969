"""scikit-learn's own checks of an estimator, for all five. What is expected to fail stands here with its reason."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from wrapped_models import line, softmax

from jaxseq.layers import Dense
from jaxseq.models import Sequential
from jaxseq.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer
from jaxseq.wrappers.scikit_learn import KerasClassifier, KerasRegressor


class Softmax(KerasClassifier):
    """Keras 2's wrapper as a class that builds its own model, which is told how many classes there are."""

    def __call__(self):
        model = Sequential([Dense(self.n_classes_, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model


class Line(KerasRegressor):
    def __call__(self):
        model = Sequential([Dense(self.n_outputs_)])
        model.compile("sgd", "mse")
        return model


class Called:
    """A function that shows itself by its name and without its address, for the tests are called by it in every process."""

    def __init__(self, function):
        self.function = function

    def __call__(self, X, y, seed=None):
        return self.function(X, y, seed)

    def __repr__(self):
        return self.function.__name__


BRIEFLY = {"epochs": 1, "verbose": 0}
ESTIMATORS = [
    SKLearnClassifier(Called(softmax), fit_kwargs=BRIEFLY, random_state=0),
    SKLearnRegressor(Called(line), fit_kwargs=BRIEFLY, random_state=0),
    SKLearnTransformer(Called(line), fit_kwargs=BRIEFLY, random_state=0),
    Softmax(**BRIEFLY, random_state=0),
    Line(**BRIEFLY, random_state=0),
]

WEIGHTS = "a loss is divided by the number of rows, as in Keras 3, so a row of weight 2 is not two rows"
FLOAT32 = "predictions are float32, as models are"
SK_PARAMS = "Keras 2's constructor takes the parameters of any build_fn, and keeps them in sk_params"
REGRESSOR = {"check_sample_weight_equivalence_on_dense_data": WEIGHTS, "check_regressor_multioutput": FLOAT32}
EXPECTED = {
    "SKLearnClassifier": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "SKLearnRegressor": REGRESSOR,
    "SKLearnTransformer": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS},
    "Softmax": {"check_sample_weight_equivalence_on_dense_data": WEIGHTS, "check_no_attributes_set_in_init": SK_PARAMS},
    "Line": {**REGRESSOR, "check_no_attributes_set_in_init": SK_PARAMS},
}


def expected(estimator):
    return EXPECTED[type(estimator).__name__]


@pytest.mark.every(4)
@parametrize_with_checks(ESTIMATORS[:1], expected_failed_checks=expected)
def test_the_classifier_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.mark.every(3)
@parametrize_with_checks(ESTIMATORS[1:], legacy=False, expected_failed_checks=expected)
def test_the_others_keep_its_interface(estimator, check):
    check(estimator)


@pytest.mark.full
@parametrize_with_checks(ESTIMATORS[1:], expected_failed_checks=expected)
def test_the_others_keep_scikit_learns_contract(estimator, check):
    check(estimator)
