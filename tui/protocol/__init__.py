"""What crosses a process boundary: the messages of engine and viewers, and how they are spelled on the way.

Nothing here does anything with a message, and nothing but the standard library is imported.
"""
