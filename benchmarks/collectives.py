"""What does a training step send between the devices, and what does each keep? Read from the programs as they are compiled.

    python benchmarks/collectives.py [--devices 1 8 64 512] [--model mlp lstm]

Each number of devices has a process of its own, in which the CPU stands for so many devices; nothing is run. Kernels that have
a form of their own for the CPU are compiled in the form for accelerators. Bytes are those of one device: of the weights and the
optimizer's state that it keeps, and of what comes out of its collectives in one step. FLOPs are the compiler's own count for
one device. Every device has the same number of rows, whatever their number.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from math import prod

BYTES = {"f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "pred": 1, "s8": 1, "u8": 1}
COLLECTIVE = re.compile(r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)\(")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--devices", type=int, nargs="+", default=[1, 8, 64, 512])
    words.add_argument("--model", nargs="+", default=["mlp", "vgg"])
    words.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    how = words.parse_args()
    if how.child:
        model, kind, devices = how.child
        print(json.dumps(measured(model, kind, int(devices))))
        return
    print("| model | spread | devices | keeps, MB | gradients and sums, MB | weights put together, MB | GFLOP |")
    print("|---|---|---|---|---|---|---|")
    for model in how.model:
        for kind in "DataParallel", "FullySharded":
            for devices in how.devices:
                told = in_a_process(model, kind, devices)
                added, together = (told["sent"].get(each, 0) / 1e6 for each in ("all-reduce", "all-gather"))
                others = told["sent"].keys() - {"all-reduce", "all-gather"}
                assert not others, others
                print(f"| {model} | {kind} | {devices} | {told['keeps'] / 1e6:.3f} | {added:.3f} | {together:.3f} | "
                      f"{told['flops'] / 1e9:.3f} |", flush=True)


def in_a_process(model: str, kind: str, devices: int) -> dict:
    """`measured`, where the CPU stands for so many devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    told = subprocess.run([sys.executable, __file__, "--child", model, kind, str(devices)], capture_output=True, text=True,
                          check=True, env={**os.environ, "XLA_FLAGS": flags, "JAXSEQ_CACHE": "0"})
    return json.loads(told.stdout.splitlines()[-1])


def measured(name: str, kind: str, devices: int) -> dict:
    """What one device keeps and sends in a step, with as many rows for each device as the benchmark has in a batch."""
    import jax

    jax.lax.platform_dependent = lambda *given, default, **_: default(*given)
    import numpy as np
    from contestants import keras_words
    from workloads import RMSPROP, WORKLOADS, data

    from jaxseq import Sequential, distribution, layers, optimizers
    from jaxseq.core import run
    from jaxseq.core.layout import of_state
    from jaxseq.core.types import Batch, Spec

    work = WORKLOADS[name]
    parts = [keras_words.layer(part, layers, stateful=False) for part in work.parts]
    model = Sequential([layers.Input(work.shape), *parts], seed=0)
    spread = getattr(distribution, kind)()
    model.compile(optimizers.RMSprop(**RMSPROP), "categorical_crossentropy", metrics=["accuracy"], distribution=spread)
    layout, rows = spread.layout(), work.batch * devices
    x, y = (column[:1] for column in data(work))
    task, model.layout = model.task, None               # so that nothing is put on the devices
    ts = model.train_state
    spec = lambda leaf, place: Spec(leaf.shape, leaf.dtype, sharding=place)
    slab = Batch(*(Spec((1, rows, *column.shape[1:]), column.dtype, sharding=layout.dealt) for column in (x, y)))
    zero = jax.tree.map(lambda leaf: spec(leaf, layout.everywhere), model.programs.zero)
    program = run.make_train(task).lower(jax.tree.map(spec, ts, of_state(layout, ts)), zero, slab,
                                         Spec((1, rows), np.int32, sharding=layout.everywhere), 0, 1).compile()
    sent: dict[str, float] = defaultdict(float)
    for told, collective in COLLECTIVE.findall(program.as_text()):
        for dtype, shape in re.findall(r"(\w+)\[([\d,]*)\]", told):
            sent[collective] += BYTES[dtype] * prod(int(each) for each in shape.split(",") if each)
    places = jax.tree.leaves(of_state(layout, ts))
    keeps = sum(prod(place.shard_shape(leaf.shape)) * leaf.dtype.itemsize
                for leaf, place in zip(jax.tree.leaves(ts._replace(key=jax.random.key_data(ts.key))), places, strict=True))
    return {"sent": sent, "keeps": keeps, "flops": program.cost_analysis()["flops"]}


if __name__ == "__main__":
    main()
