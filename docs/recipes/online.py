"""scikit-learn: a model that learns on with every batch (`partial_fit`).

tunedeck run -c online.yaml -- python online.py
tunedeck set online.yaml eta0=0.375
"""

import pickle

import numpy
import yaml
from sklearn.linear_model import SGDRegressor

import tui

with open("online.yaml") as file:
    config = yaml.safe_load(file)
draw = numpy.random.default_rng(1)
model = SGDRegressor(learning_rate="constant", eta0=config["eta0"], alpha=config["alpha"])
while not tui.stopping():
    x = draw.random((32, 3))
    y = x @ [1.0, -2.0, 0.5] + draw.normal(0, 0.1, 32)
    model.partial_fit(x, y)
    new = tui.checkpoint(config, r2=model.score(x, y))
    if new is not config:
        config = new
        model.set_params(eta0=config["eta0"], alpha=config["alpha"])
        print("learns with", model.eta0, flush=True)
    tui.sleep(config["pause"])
with open("model.pickle", "wb") as file:
    pickle.dump(model, file)
