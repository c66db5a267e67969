"""How each contestant trains a workload. Every module has `make(workload)`, which gives `train(epochs)`, and `versions()`."""
