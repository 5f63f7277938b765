"""The viewer: shows what the engine says and sends it commands.

From above: `app`, `main_screen`, `job_view`, the panes, `dialogs`, `widgets`, then `model` and `textual_ext`. The
engine is known by its messages only.
"""
