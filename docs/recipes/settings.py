"""pydantic-settings: a service whose settings come from its environment and a file; each change is validated.

tunedeck run -c settings.yaml -- python settings.py
tunedeck set settings.yaml rate=0.375
"""

import yaml
from pydantic import Field
from pydantic_settings import BaseSettings

import tui


class Settings(BaseSettings):
    rate: float = Field(gt=0, le=1)  # rate=2 is refused, and nothing changes
    workers: int = 2


with open("settings.yaml") as file:
    settings = Settings(**yaml.safe_load(file))
while not tui.stopping():
    new = tui.checkpoint(settings, done=1)  # a Settings, like the one that it was given
    if new is not settings:
        settings = new
        print("works at", settings.rate, flush=True)
    tui.sleep(0.05)
