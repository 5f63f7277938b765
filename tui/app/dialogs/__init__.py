"""What comes up over the main screen: questions with their answers, and sheets to read.

Each is told what to show and returns an answer; none sends a command.
"""
