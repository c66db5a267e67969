"""Training on several devices and hosts: meshes, and what is cut along which of their axes."""
