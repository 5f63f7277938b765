"""Locust: the number of users and how fast they come, while the test runs.

tunedeck run -c load.yaml -- locust -f load.py --headless
tunedeck set load.yaml users=7
"""

import locust
import yaml

import tui

with open("load.yaml") as file:
    config = yaml.safe_load(file)


class Shape(locust.LoadTestShape):
    def tick(self):
        global config
        users = self.get_current_user_count()
        config = tui.checkpoint(config, users=users)
        print("users:", users, flush=True)
        return None if tui.stopping() else (config["users"], config["spawn_rate"])


class Someone(locust.User):  # an HttpUser, with self.client.get("/")
    wait_time = locust.constant(0.1)

    @locust.task
    def act(self):
        pass
