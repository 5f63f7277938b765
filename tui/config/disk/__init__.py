"""Config files on the disk: read whole, written without loss, watched for new content.

Bytes and paths: never what a config means, that is the rest of `tui.config`.
"""
