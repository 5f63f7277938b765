"""The text of a config, changed where it must be and not one byte beside.

From text to text: never a file, that is `tui.config.disk`.
"""
