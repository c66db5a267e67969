"""The optimizers, each a short chain of Optax transformations.

Numbers are Keras 3's: the place of epsilon, first accumulators. `schedule_decay` means what it meant in Keras 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, TypeGuard

import optax

from jaxseq.core import muon, transforms
from jaxseq.core.declared import from_config, is_zero
from jaxseq.core.optimizer import Optimizer
from jaxseq.core.require import pick, require
from jaxseq.core.transforms import Schedule, Transform


class SGD(Optimizer):
    """Gradient descent: v = momentum v - rate g; w += v, or with nesterov w += momentum v - rate g.

    Source: Sutskever et al. 2013, as Keras has it: the rate stands inside the velocity.
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def step(self):
        velocity = optax.identity() if is_zero(self.momentum) else optax.trace(self.momentum, self.nesterov)
        return optax.chain(transforms.times_rate(), velocity)


class RMSprop(Optimizer):
    """v = rho v + (1 - rho) g^2; w -= rate g / sqrt(v + epsilon).

    centered: the variance of g in the place of v (`scale_by_deviation`). momentum: the step is a velocity, as in SGD.
    Source: Tieleman & Hinton 2012, lecture 6.5. Keras 2 has sqrt(v) + epsilon.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def step(self):
        scale = transforms.scale_by_deviation if self.centered else optax.scale_by_rms
        velocity = optax.identity() if is_zero(self.momentum) else optax.trace(self.momentum)
        return optax.chain(scale(self.rho, self.epsilon), transforms.times_rate(), velocity)


class Adagrad(Optimizer):
    """a += g^2; w -= rate g / sqrt(a + epsilon), a from initial_accumulator_value.

    Source: Duchi et al. 2011. Keras 2 has a from 0, rate 0.01 and sqrt(a) + epsilon.
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(optax.scale_by_rss(self.initial_accumulator_value, self.epsilon), transforms.times_rate())


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2; u = sqrt(d + epsilon) / sqrt(a + epsilon) g; d = rho d + (1 - rho) u^2; w -= rate u.

    Source: Zeiler 2012, arXiv:1212.5701, where the rate is 1, as in Keras 2; here it is Keras 3's.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(optax.scale_by_adadelta(self.rho, self.epsilon), transforms.times_rate())


class Adam(Optimizer):
    """w -= rate m_hat / (sqrt(v) + epsilon), corrected as `scale_by_adam` says.

    Source: Kingma & Ba 2015; amsgrad: Reddi et al. 2018.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def step(self):
        scale = transforms.scale_by_adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad)
        return optax.chain(scale, transforms.times_rate())


class AdamW(Adam):
    """`Adam` with a weight_decay that is not 0. Raises: ValueError for weight_decay=None.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    learning_rate: float | Schedule = 0.001
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def __post_init__(self):
        require(self.weight_decay is not None, "AdamW(weight_decay=None): write a number, or Adam without one.")
        super().__post_init__()


class Adamax(Optimizer):
    """w -= rate m / (1 - b1^t) / (u + epsilon), u = max(b2 u, |g|). Source: Kingma & Ba 2015. Keras 2's rate is 0.002."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(transforms.scale_by_adamax(self.beta_1, self.beta_2, self.epsilon), transforms.times_rate())


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead, see `scale_by_nadam`. Source: Dozat 2016.

    schedule_decay: Keras 2's, where it is 0.004 and the rate 0.002; Keras 3's numbers are those of 1.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    schedule_decay: float = field(default=1.0, kw_only=True)

    def step(self):
        scale = transforms.scale_by_nadam(self.beta_1, self.beta_2, self.epsilon, self.schedule_decay)
        return optax.chain(scale, transforms.times_rate())


class Ftrl(Optimizer):
    """Follow the regularized leader, see `transforms.ftrl`; l1 sets weights to exactly 0. Source: McMahan et al. 2013."""

    learning_rate: float | Schedule = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def step(self):
        return transforms.ftrl(self.learning_rate_power, self.initial_accumulator_value, self.l1_regularization_strength,
                               self.l2_regularization_strength, self.l2_shrinkage_regularization_strength, self.beta)


class Lion(Optimizer):
    """w -= rate sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g. Source: Chen et al. 2023, arXiv:2302.06675."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    def step(self):
        return optax.chain(optax.scale_by_lion(self.beta_1, self.beta_2), transforms.times_rate())


class Adafactor(Optimizer):
    """Steps as large as their weights, remembered by rows and columns, see `transforms.adafactor`.

    Source: Shazeer & Stern 2018, arXiv:1804.04235. Differs from Keras in that relative_step=False takes the learning rate
    as it is; there it changes nothing.
    """

    learning_rate: float | Schedule = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def step(self):
        return transforms.adafactor(self.beta_2_decay, self.epsilon_1, self.epsilon_2, self.clip_threshold,
                                    self.relative_step)


class Lamb(Optimizer):
    """Adam's step, made as long as rate |w| for each weight array. Source: You et al. 2020, arXiv:1904.00962."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def step(self):
        adam = transforms.any_dtypes(optax.scale_by_adam(self.beta_1, self.beta_2, self.epsilon))
        return optax.chain(adam, optax.scale_by_trust_ratio(), transforms.times_rate())


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its weights as it goes, see `transforms.schedule_free_adamw`; it needs no schedule.

    Source: Defazio et al. 2024, arXiv:2405.15682. As in Keras, it is the point between both that is measured.
    """

    learning_rate: float | Schedule = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    def __post_init__(self):
        super().__post_init__()
        require(self.beta_1 > 0, f"ScheduleFreeAdamW(beta_1={self.beta_1!r}): write a number above 0.")

    def step(self):
        return transforms.schedule_free_adamw(self.beta_1, self.beta_2, self.epsilon, self.warmup_steps)


class Muon(Optimizer):
    """Steps of matrices made orthogonal, see `muon.scale_by_muon`; Adam for all other weights, and for embeddings.

    adam_weight_decay: weight_decay of the weights that Adam moves. adam_lr_ratio: their rate over the others'.
    rms_rate: a step's rms, as a share of the rate; None leaves steps as orthogonal as they are.
    exclude_layers: patterns; Adam also moves weights whose path, as "dense/kernel", has one of them.
    Source: Jordan et al. 2024, "Muon"; Liu et al. 2025, arXiv:2502.16982 (rms_rate).
    """

    learning_rate: float | Schedule = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = field(default=0.004, kw_only=True)
    exclude_layers: tuple[str, ...] = field(default=(), kw_only=True)
    exclude_embeddings: bool = field(default=True, kw_only=True)
    adam_lr_ratio: float = field(default=1.0, kw_only=True)
    momentum: float = field(default=0.95, kw_only=True)
    ns_steps: int = field(default=5, kw_only=True)
    nesterov: bool = field(default=True, kw_only=True)
    rms_rate: float | None = field(default=0.2, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        names = (self.exclude_layers,) if isinstance(self.exclude_layers, str) else tuple(self.exclude_layers or ())
        object.__setattr__(self, "exclude_layers", names)

    def _chosen(self, weights: Any) -> Any:
        return muon.matrices(weights, self.exclude_embeddings, self.exclude_layers)

    def shrinking(self):
        share = {True: self.weight_decay or 0.0, False: self.adam_weight_decay or 0.0}
        return lambda weights: muon.shares(self._chosen(weights), share)

    def step(self):
        orthogonal = muon.scale_by_muon(self.momentum, self.nesterov, self.ns_steps, self.rms_rate)
        adam = transforms.scale_by_adam(self.adam_beta_1, self.adam_beta_2, self.epsilon)
        adam = optax.chain(adam, optax.scale(self.adam_lr_ratio))
        each = optax.partition({"matrix": orthogonal, "other": adam}, lambda w: muon.labels(self._chosen(w)))
        return optax.chain(each, transforms.times_rate())


CLASSES: dict[str, type[Optimizer]] = {each.__name__: each for each in (
    SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion, Adafactor, Lamb, ScheduleFreeAdamW, Muon)}
TABLE: dict[str, type[Optimizer]] = {name.lower(): each for name, each in CLASSES.items()}


def get(identifier: Any) -> Optimizer | Transform:
    """The optimizer for a name, a class, an instance, a config, or any Optax transformation."""
    if isinstance(identifier, str):
        return pick("optimizer", identifier.lower(), TABLE)()
    if isinstance(identifier, Mapping):
        name = identifier.get("class_name")
        lower = {"class_name": name.lower()} if isinstance(name, str) else {}
        return from_config("optimizer", {**identifier, **lower}, TABLE)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    if isinstance(identifier, Optimizer):
        return identifier if identifier.owner is None else replace(identifier)      # of another model: its numbers stay there
    if _is_optax(identifier):
        return identifier
    raise TypeError(f"optimizer={identifier!r}: write a name such as 'adam', jaxseq.optimizers.Adam(), or an Optax "
                    "transformation such as optax.adamw(1e-3).")


def _is_optax(value: Any) -> TypeGuard[Transform]:
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))
