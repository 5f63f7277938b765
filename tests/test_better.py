import pytest

from tui import better


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("loss", "min"), ("val/loss", "min"), ("train_loss", "min"), ("trainLoss", "min"), ("eval.perplexity", "min"),
        ("accuracy", "max"), ("acc@5", "max"), ("F1", "max"), ("mean_reward", "max"), ("lossless", None),
        ("lr", None), ("loss_accuracy", None), ("", None), ("account", None), ("日本", None),
    ],
)  # fmt: skip
def test_a_name_that_everybody_reads_one_way(name: str, way: str | None) -> None:
    assert better.guess(name) == way


def test_the_job_says_it_first() -> None:
    assert better.way("loss", {"loss": "max"}) == "max"
    assert better.main(["lr", "loss", "accuracy"], {}) == "loss"
    assert better.main(["lr", "loss", "accuracy"], {"accuracy": "max", "loss": "min"}) == "accuracy"
    assert better.main(["lr"], {"later": "min"}) == "lr"
    assert better.main([], {}) is None
    assert better.ordered(["a", "b", "loss"], {}) == ["loss", "a", "b"]
