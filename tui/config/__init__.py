"""What a config file is: text, data, positions, changes, atomic writes and the watch on the disk."""
