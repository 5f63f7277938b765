"""One change on its way: the config file, what it must pass, its steps, and its time of probation.

Decided without processes; never a worker, that is `tui.engine.jobs`.
"""
