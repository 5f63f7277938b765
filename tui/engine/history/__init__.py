"""The histories of the configs: their rows, their database, and the folders in which they live.

What has been is kept and found here; never what is to become of it.
"""
