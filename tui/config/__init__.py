"""What a config file says: its data, the place of every key, what differs, what is wrong with it.

`editing` changes its text, `disk` reads and writes it. Never a job, a worker or a screen.
"""
