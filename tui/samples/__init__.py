"""Sample tasks, small enough to read and real enough to tune."""
