"""Training frameworks that tune themselves: one module for each, which imports that framework and nothing else.

An adapter is a callback. After each step it reports the framework's metrics, takes a new config, and ends the training
by the framework's own flag when the job is to stop. Without a deck it does nothing.
"""
