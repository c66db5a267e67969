"""Where Keras 2 has the layers that join several inputs."""

raise ImportError("jaxseq.layers.merge: a Sequential has one input, so there is nothing to merge. What joins the steps or the "
                  "features of one input is a layer of your own: see jaxseq.layers.Layer and Lambda.")
