"""The jobs: each with its one worker, how that lives, ends and comes again, and what is told of it.

Never a viewer and its commands, those are in `tui.engine.service`.
"""
