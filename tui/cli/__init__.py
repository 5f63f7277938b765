"""The command line: one module for each family of commands, and what they share.

A module here reads arguments, asks an engine or a history, and prints. What is decided, is decided elsewhere; what is
heavy to import, is imported by the command that needs it.
"""
