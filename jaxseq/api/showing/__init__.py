"""How models, layers and runs show themselves: tables, curves, graphs and pictures."""
