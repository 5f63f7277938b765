"""What the engine does for others: viewers and commands that connect, and the events on standard output.

Each command is obeyed by calls of `tui.engine.jobs`; no state of a job is kept here.
"""
