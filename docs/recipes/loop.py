"""PyTorch without a framework: two DataLoader workers, a scheduler, a progress bar, a checkpoint at the end.

tunedeck run -c loop.yaml -- python loop.py
tunedeck set loop.yaml lr=0.375
"""

import torch
import yaml
from tqdm import tqdm

import tui
from tui.adapters.torch_rates import rescale


def main():
    with open("loop.yaml") as file:
        config = yaml.safe_load(file)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100_000)
    data = torch.utils.data.TensorDataset(torch.rand(6400, 4), torch.rand(6400, 1))
    loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2, persistent_workers=True)
    while not tui.stopping():
        for x, y in tqdm(loader, mininterval=1):
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            new = tui.checkpoint(config, loss=loss)
            if new is not config:
                rescale([optimizer], [scheduler], config["lr"], new["lr"])  # the schedule goes on from there
                config = new
                print("lr", config["lr"], flush=True)
            if tui.stopping():
                break
            tui.sleep(0.002)
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
