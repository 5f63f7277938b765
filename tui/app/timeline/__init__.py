"""The pane of a job's reloads: rows, filter, notes, and all there is to know of one.

Only what is seen of reloads; which there are, is in `tui.app.model`.
"""
