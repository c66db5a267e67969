"""Wrote the files beside it, with Python 2.7.18 and NumPy 1.16.6: the true forms, with rows that are made up.

    python2 make.py
"""

import cPickle
import numpy as np


def images(number):
    return np.random.RandomState(number).randint(0, 256, (number, 3072)).astype(np.uint8)


def dump(name, **held):
    with open(name + ".pickle", "wb") as file:
        cPickle.dump(held, file, cPickle.HIGHEST_PROTOCOL)


def rows(*lengths):
    array = np.empty(len(lengths), object)
    for place, length in enumerate(lengths):
        array[place] = [number * 37 % 70001 for number in range(1, length + 1)]
    return array


dump("cifar10_batch", batch_label="training batch 1 of 5", labels=[6, 9, 9], data=images(3),
     filenames=["leptodactylus_pentadactylus_s_000004.png", "camion_s_000148.png", "tipper_truck_s_001250.png"])
dump("cifar100_part", batch_label="training batch 1 of 1", fine_labels=[19, 99], coarse_labels=[11, 0], data=images(2),
     filenames=["bos_taurus_s_000507.png", "stegosaurus_s_000125.png"])
np.savez("words.npz", x=rows(3, 0, 400, 1), y=np.array([3, 4, 45, 0]))
