"""Lines and parts that several screens and panes are made of.

None knows in which pane it stands.
"""
