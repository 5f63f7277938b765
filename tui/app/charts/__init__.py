"""Charts of a job's metrics: scales, braille, the picture of one chart, and the pane that shows many.

What is drawn comes as columns that the engine has summed up. Nothing here reads a history or judges a change.
"""
