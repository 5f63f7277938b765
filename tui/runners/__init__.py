"""The ways to run a worker: its process, its output, its signals, and when it counts as ready.

Never what a reload or a job is: a runner tells its owner what happens, and decides nothing about it.
"""
