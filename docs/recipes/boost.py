"""LightGBM: the learning rate and whatever else `reset_parameter` takes.

tunedeck run -c boost.yaml -- python boost.py
tunedeck set boost.yaml learning_rate=0.375
"""

import lightgbm
import numpy
import yaml

import tui

with open("boost.yaml") as file:
    config = yaml.safe_load(file)


def tune(env):
    global config
    _, name, value, *_ = env.evaluation_result_list[0]
    new = tui.checkpoint(config, **{name: value})
    if new is not config:
        config = new
        env.model.reset_parameter(config)
        print("rate", config["learning_rate"], flush=True)
    if tui.stopping():
        raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)
    tui.sleep(0.01)


draw = numpy.random.default_rng(1)
x, y = draw.random((200, 4)), draw.random(200)
data = lightgbm.Dataset(x, y)
settings = {**config, "metric": "l2", "verbose": -1, "num_threads": 1, "num_leaves": 4}
model = lightgbm.train(settings, data, 1_000_000, valid_sets=[data], callbacks=[tune])
model.save_model("model.txt")
