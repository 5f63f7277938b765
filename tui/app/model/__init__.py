"""What a viewer knows, built from the messages of the engine.

Never a screen: nothing of Textual is imported here.
"""
