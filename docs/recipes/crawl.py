"""Scrapy: how long it waits between two requests, while it crawls; a stop closes its feed.

tunedeck run -c crawl.yaml -- scrapy runspider crawl.py
tunedeck set crawl.yaml delay=0.375
"""

import scrapy
import yaml

import tui

with open("crawl.yaml") as file:
    config = yaml.safe_load(file)


class Crawl(scrapy.Spider):
    name = "crawl"
    start_urls = ("data:,page 0",)  # addresses that are pages themselves
    custom_settings = {
        "DOWNLOAD_DELAY": config["delay"],
        "FEEDS": {"feed.json": {"format": "json", "overwrite": True}},
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "WARNING",
    }

    def parse(self, response):
        global config
        new = tui.checkpoint(config, items=1)
        if new is not config:
            config = new
            for slot in self.crawler.engine.downloader.slots.values():
                slot.delay = config["delay"]
            print("waits", config["delay"], flush=True)
        yield {"text": response.text}
        number = int(response.text.split()[1])
        yield scrapy.Request(f"data:,page {number + 1}", dont_filter=True)
