"""uvicorn: the log level of a server that runs, and whatever else its handlers read.

tunedeck run -c serve.yaml -- uvicorn serve:app --port 0
tunedeck set serve.yaml log_level=debug
"""

import asyncio
import logging

import yaml

import tui

with open("serve.yaml") as file:
    config = yaml.safe_load(file)


async def tune():
    global config
    while True:
        new = tui.checkpoint(config)
        if new is not config:
            config = new
            log = logging.getLogger("uvicorn.error")
            log.setLevel(config["log_level"].upper())
            log.debug("debug is on")
        await tui.asleep(1)  # comes back at once for a change


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        task = asyncio.create_task(tune())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        task.cancel()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": config["greeting"].encode()})
