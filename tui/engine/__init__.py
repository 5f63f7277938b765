"""The engine: owns the jobs of one deck, their files and their histories, and serves viewers.

From above: `main`, `engine`, `service`, `jobs`, then `reloads` and `history`, then `deck` and `locks`; each knows only
what is below it. Never a screen.
"""
