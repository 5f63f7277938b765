"""The engine: owns the jobs, the files and the history; free of any screen."""
