"""What a deck file says: which jobs there are, and how each is to be treated.

Read once, at the start; never a job that runs.
"""
