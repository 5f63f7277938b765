"""Each adapter on its real framework, with a schedule: a change of the rate lasts, a stop saves, alone it does nothing.

They need the extra `frameworks`, by ``make frameworks``, and are skipped where a framework is not installed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tests.runs.folder import ENVIRONMENT, Event, Folder, Run, tunedeck

#: In every program: the config, and how it tells what happens. Each rate is told by a step with what its schedule makes
#: of the first one; `took` is told with the first step that is to have it.
SHARED = """
    import hashlib, json, math, os, sys, time
    os.environ["KERAS_BACKEND"] = "torch"
    with open("c.yaml") as file:
        config = json.load(file)
    alone = sys.argv[1] == "alone"
    steps = 20 if alone else 20_000

    def say(**found):
        if not alone:
            print(json.dumps(found), flush=True)
            time.sleep(0.002)

    def cosine(step):
        return (1 + math.cos(math.pi * step / 20_000)) / 2

    def main(train):
        if alone:  # the same training with the adapter and without it
            print(json.dumps([train(True), train(False)]))
        else:
            train(True)
            say(ended=True)

    def digest(arrays):
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
"""

LIGHTNING = """
    from shared import *
    import torch
    import PACKAGE as L
    from tui.adapters.lightning import TuneLightning

    class Net(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch, _):
            loss = self.layer(batch[0]).square().mean()
            self.log("level", loss)
            return loss

        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=config["lr"])
            cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20_000)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

        def on_before_optimizer_step(self, optimizer):
            step = self.trainer.global_step
            say(step=step, rate=optimizer.param_groups[0]["lr"], factor=cosine(step))

    def train(tuned):
        L.seed_everything(1, verbose=False)
        net, data = Net(), torch.utils.data.TensorDataset(torch.rand(64, 4))
        tune = TuneLightning(config, lambda new, trainer: say(took=new["lr"], step=trainer.global_step))
        callbacks = [tune] if tuned else []
        trainer = L.Trainer(
            max_steps=steps, callbacks=callbacks, accelerator="cpu", devices=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )
        trainer.fit(net, torch.utils.data.DataLoader(data, batch_size=4))
        trainer.save_checkpoint("saved")
        return digest(value.numpy() for value in net.state_dict().values())

    main(train)
"""

TRANSFORMERS = """
    from shared import *
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from tui.adapters.transformers import TuneTransformers

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x, labels=None):
            found = self.layer(x)
            return {"loss": (found - labels).square().mean(), "logits": found}

    class Say(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, optimizer=None, **_):
            step = state.global_step
            factor = step / 10 if step < 10 else (1 + math.cos(math.pi * (step - 10) / (steps - 10))) / 2
            say(step=step, rate=optimizer.param_groups[0]["lr"], factor=factor)

    def train(tuned):
        torch.manual_seed(1)
        net = Net()
        data = [{"x": torch.rand(4), "labels": torch.rand(1)} for _ in range(64)]
        args = TrainingArguments(
            "out", max_steps=steps, learning_rate=config["lr"], lr_scheduler_type="cosine", warmup_steps=10,
            logging_steps=5, save_steps=100_000, report_to=[], disable_tqdm=True, use_cpu=True,
            per_device_train_batch_size=4, seed=1,
        )
        tune = TuneTransformers(config, lambda new, found: say(took=new["lr"], step=found["state"].global_step))
        trainer = Trainer(net, args, train_dataset=data, callbacks=[Say(), *([tune] if tuned else [])])
        trainer.train()
        if not alone:
            assert os.path.exists(f"out/checkpoint-{trainer.state.global_step}/optimizer.pt")
        trainer.save_model("saved")
        return digest(value.numpy() for value in net.state_dict().values())

    main(train)
"""

KERAS = """
    from shared import *
    import keras, numpy
    from tui.adapters.keras import TuneKeras

    class Say(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            step = int(self.model.optimizer.iterations)
            say(step=step, rate=float(self.model.optimizer.learning_rate), factor=cosine(step))

    def train(tuned):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(config["lr"], 20_000)), "mse")
        tune = TuneKeras(config, lambda new, model: say(took=new["lr"], step=int(model.optimizer.iterations)))
        x, y = numpy.random.rand(64, 4), numpy.random.rand(64)
        model.fit(x, y, batch_size=4, epochs=steps // 16, verbose=0, callbacks=[Say(), *([tune] if tuned else [])])
        model.save("saved.keras")
        os.rename("saved.keras", "saved")
        return digest(map(numpy.array, model.get_weights()))

    main(train)
"""

STABLE_BASELINES3 = """
    from shared import *
    from stable_baselines3 import PPO
    from tui.adapters.stable_baselines3 import TuneSB3

    class Told(PPO):
        def train(self):
            super().train()
            rate = self.policy.optimizer.param_groups[0]["lr"]
            say(step=self._n_updates - 1, rate=rate, factor=self._current_progress_remaining)

    def train(tuned):
        first = config["lr"]
        model = Told("MlpPolicy", "CartPole-v1", learning_rate=lambda left: first * left, n_steps=16, batch_size=16,
                     n_epochs=1, policy_kwargs={"net_arch": [8]}, seed=1, device="cpu")
        tune = TuneSB3(config, lambda new, model: say(took=new["lr"], step=model._n_updates))
        model.learn(16 * steps, callback=tune if tuned else None)
        model.save("saved.zip")
        PPO.load("saved.zip")  # what is saved needs nothing of ours
        os.rename("saved.zip", "saved")
        return digest(value.numpy() for value in model.policy.state_dict().values())

    main(train)
"""

XGBOOST = """
    from shared import *
    import numpy, xgboost
    from tui.adapters.xgboost import TuneXGBoost, _rate

    class Say(xgboost.callback.TrainingCallback):
        def before_iteration(self, model, epoch, evals_log):
            say(step=epoch, rate=_rate(model), factor=0.999 ** max(epoch - 1, 0))
            return False

    def train(tuned):
        draw = numpy.random.default_rng(1)
        data = xgboost.DMatrix(draw.random((64, 4)), label=draw.random(64))
        first = config["lr"]
        schedule = xgboost.callback.LearningRateScheduler(lambda epoch: first * 0.999**epoch)
        tune = TuneXGBoost(config, lambda new, model: say(took=new["lr"], step=model.num_boosted_rounds()))
        callbacks = [schedule, tune] if "after" in sys.argv else [tune, schedule]
        params = {"max_depth": 1, "learning_rate": first, "nthread": 1}
        model = xgboost.train(params, data, steps, evals=[(data, "train")], verbose_eval=False,
                              callbacks=[*(callbacks if tuned else [schedule]), Say()])
        model.save_model("saved.json")
        os.rename("saved.json", "saved")
        return digest([model.predict(data)])

    main(train)
"""

PROGRAMS = {
    "lightning": (LIGHTNING.replace("PACKAGE", "lightning.pytorch"), "level", []),
    "pytorch_lightning": (LIGHTNING.replace("PACKAGE", "pytorch_lightning"), "level", []),
    "transformers": (TRANSFORMERS, "loss", []),
    "keras": (KERAS, "loss", []),
    "stable_baselines3": (STABLE_BASELINES3, "train/loss", []),
    "xgboost": (XGBOOST, "train-rmse", []),
    "xgboost, after": (XGBOOST, "train-rmse", ["after"]),
}


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Iterator[Folder]:
    package = name.partition(",")[0]
    for needed in (package, *(("torch",) if package == "keras" else ())):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed: make frameworks")
    made = Folder(tmp_path)
    made.write("shared.py", SHARED)
    made.write("prog.py", PROGRAMS[name][0])
    made.write("c.yaml", '{"lr": 0.1}\n')
    yield made
    made.close()


#: Frameworks are large: where the suite keeps compiled modules elsewhere, each process would compile them anew.
PYTHON = ["env", "-u", "PYTHONPYCACHEPREFIX", "-u", "PYTHONDONTWRITEBYTECODE", sys.executable, "prog.py"]


def said(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.lines if line.startswith('{"')]


def said_step(number: int) -> Any:
    return lambda event: event["event"] == "log" and f'"step": {number}, "rate"' in event["line"]


def took(rate: float) -> Any:
    return lambda event: event["event"] == "log" and f'"took": {rate}' in event["line"]


def first_of(event: Event) -> int:
    step = json.loads(event["line"])["step"]
    assert isinstance(step, int)
    return step


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_rate_that_is_set_lasts_under_its_schedule_and_a_stop_saves(folder: Folder, name: str) -> None:
    _, metric, words = PROGRAMS[name]
    run = folder.run("-c", "c.yaml", "--", *PYTHON, "deck", *words)
    run.wait_for(said_step(20))
    run.wait_for(lambda event: event["event"] == "metrics" and metric in event["values"])
    changed = [(0, 0.1)]
    for rate in (0.02, 0.05):
        done = tunedeck("set", "c.yaml", f"lr={rate}", cwd=folder.path)
        assert done.returncode == 0, done
        changed.append((first_of(run.wait_for(took(rate))), rate))
        run.wait_for(said_step(changed[-1][0] + 50))
    assert run.stop() == 128 + 15
    assert run.states[-1] == "stopped", run.lines[-20:]
    assert said(run)[-1] == {"ended": True}
    assert (folder.path / "saved").exists()

    told = [found for found in said(run) if "rate" in found]
    assert {begin + steps for begin, _ in changed[1:] for steps in (0, 1, 50)} <= {found["step"] for found in told}
    for found in told:
        rate = next(rate for begin, rate in reversed(changed) if begin <= found["step"])
        assert found["rate"] == pytest.approx(rate * found["factor"], rel=1e-5), found


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_deck_nothing_is_other_than_without_the_adapter(folder: Folder, name: str) -> None:
    done = subprocess.run(
        [*PYTHON, "alone"],
        cwd=folder.path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    with_it, without = json.loads(done.stdout.splitlines()[-1])
    assert with_it == without
