"""Hydra and OmegaConf: a config that is composed, with interpolations and overrides.

tunedeck run -c compose.yaml -- python compose.py steps=1000000
tunedeck set compose.yaml lr=0.375
"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import tui


@hydra.main(version_base=None, config_path=".", config_name="compose")
def main(composed):
    overrides = OmegaConf.from_dotlist(list(HydraConfig.get().overrides.task))
    file = None
    for step in range(composed.steps):
        new = tui.checkpoint(file, loss=1.0 / (1 + step * composed.lr))
        if new is not file:
            file = new
            composed = OmegaConf.merge(file, overrides)  # what was said on the command line still counts
            print("lr", composed.lr, "warmup", composed.warmup, flush=True)
        if tui.stopping():
            break
        tui.sleep(0.02)


main()
