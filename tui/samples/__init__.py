"""Sample tasks, small enough to read and real enough to tune: what `tunedeck demo` shows and the tests run.

Of tunedeck each imports `tui` alone, as a user's task does. No other module imports them.
"""
