"""Everything between the app and the network: sockets, limits, uploads, health and metrics.

These modules know nothing about networks or pages. From the rest of the project they import only
model.limits.
"""
