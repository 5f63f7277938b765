"""What runs inside a worker: standard library only, for Python 3.8 and newer."""
