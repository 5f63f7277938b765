"""gunicorn: its log level and the number of its workers, read anew at a signal; the master stays.

tunedeck run -c workers.yaml --on-change SIGHUP -- gunicorn -c workers.py workers:app
tunedeck set workers.yaml loglevel=debug
"""

import yaml

with open("workers.yaml") as file:
    found = yaml.safe_load(file)
loglevel = found["loglevel"]
workers = found["workers"]
bind = "127.0.0.1:0"
control_socket_disable = True


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
