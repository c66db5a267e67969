"""All files that mean harm, by what they do.

    Z1 code in a config                 H1 numbers in any file at all           N1 tensors and manifests that lie
    Z2 names of other people's code     H2 virtual arrays                       S1 maps of shards
    Z3 a library's own functions        H3 links                                B1 text that acts on a terminal
    Z4 loaders in a loader              H4 shapes with nothing behind them
    Z5 paths and addresses              H5 filters, and arrays that swell
    Z6 names that are ways out          H6 circles, depth, width
    Z7 links, pipes, devices            H7 types and shapes of all kinds
    Z8 two of one name                  H8 what attributes say
    Z9 archives in two minds            H9 what stands in front of a tree
    Z10 bombs   Z11 lies about sizes   Z12 models without end   Z13 JSON   Z14 files that end too soon   Z15 values
"""

from . import (
    zoo_archives,
    zoo_bombs,
    zoo_checkpoints,
    zoo_configs,
    zoo_json,
    zoo_legacy,
    zoo_structures,
    zoo_tensors,
    zoo_trees,
    zoo_weights,
)

MODULES = (zoo_configs, zoo_bombs, zoo_archives, zoo_json, zoo_trees, zoo_weights, zoo_legacy, zoo_structures, zoo_tensors,
           zoo_checkpoints)
ATTACKS = [attack for module in MODULES for attack in module.ATTACKS]
