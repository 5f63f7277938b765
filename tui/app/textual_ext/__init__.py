"""Where Textual has no public way: each module says what it works around, and since which version.

Nothing here knows a job.
"""
