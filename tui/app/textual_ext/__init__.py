"""Where Textual has no public way: each module says what it works around, and since which version.

`tests/app/textual_ext/test_still_needed.py` shows that plain Textual is still so. Nothing here knows a job.
"""
