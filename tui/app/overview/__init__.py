"""All jobs of the deck on one screen: what is said of each, which are shown in which order, what is done to several.

What is measured comes from the engine when it is asked. No pane of a job lives here, nor a question of one job alone.
"""
