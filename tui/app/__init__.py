"""The Textual app: a viewer that shows what the engine says and sends it commands."""
