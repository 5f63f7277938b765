"""The pane of a job's log: its lines, search and filter.

Only what is seen of a log; which lines there are, is in `tui.app.model`.
"""
