"""The pane of a job's config: the editor, what is wrong with its text, and whose text wins.

What a text means, the engine says; nothing is parsed here.
"""
