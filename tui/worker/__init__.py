"""What runs inside a worker: standard library only, for Python 3.8 and newer.

Flat, and imported as late as can be: a worker must start in milliseconds. Nothing else of tunedeck is known here.
"""
