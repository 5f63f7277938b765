"""JAX and optax: hyperparameters are values of the optimizer's state, so that nothing is compiled again.

tunedeck run -c injected.yaml -- python injected.py
tunedeck set injected.yaml lr=0.375
"""

import jax
import jax.numpy as jnp
import optax
import yaml

import tui

with open("injected.yaml") as file:
    config = yaml.safe_load(file)
optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=config["lr"])
weights = jnp.ones(4)
state = optimizer.init(weights)


@jax.jit
def step(weights, state, x):
    loss, gradient = jax.value_and_grad(lambda weights: jnp.mean((x @ weights - 1.0) ** 2))(weights)
    updates, state = optimizer.update(gradient, state)
    return optax.apply_updates(weights, updates), state, loss


key = jax.random.PRNGKey(1)
while not tui.stopping():
    key, drawn = jax.random.split(key)
    weights, state, loss = step(weights, state, jax.random.uniform(drawn, (8, 4)))
    new = tui.checkpoint(config, loss=loss)
    if new is not config:
        config = new
        state.hyperparams["learning_rate"] = jnp.asarray(config["lr"])
        print("lr", config["lr"], flush=True)
    tui.sleep(0.005)
jnp.save("weights.npy", weights)
