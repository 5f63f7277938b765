"""The pane of a config's values as knobs: which there are, how each is drawn, and what a key makes of its value.

Values are found and nudged as in `tui.app.editor`. No file is written here: a turn is a command to the engine.
"""
