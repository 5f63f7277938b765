"""Optuna: the search space of a study that runs.

tunedeck run -c study.yaml -- python study.py
tunedeck set study.yaml high=0.375
"""

import optuna
import yaml

import tui

with open("study.yaml") as file:
    config = yaml.safe_load(file)


def objective(trial):
    rate = trial.suggest_float("rate", config["low"], config["high"])
    print(f"trial {trial.number}: up to {config['high']}", flush=True)
    tui.sleep(config["pause"])
    return (rate - 0.3) ** 2


def tune(study, trial):
    global config
    config = tui.checkpoint(config, value=trial.value, best=study.best_value)
    if tui.stopping():
        study.stop()


study = optuna.create_study()
study.optimize(objective, callbacks=[tune])
with open("best", "w") as file:
    file.write(str(study.best_params))
