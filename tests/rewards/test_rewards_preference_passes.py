"""Which pass of a preference fit is kept. The standard error of 0.8 among 400 choices is 0.02."""

from redraft.rewards.preference_passes import BestPass


def told(accuracy: float, loss: float, *, kind: str = "pair") -> dict[str, float]:
    return {"loss": loss, f"{kind}s": 400.0, f"{kind}_accuracy": accuracy}


def kept(*passes: tuple[float, float], kind: str = "pair") -> dict[str, float]:
    first, *others = (told(*each, kind=kind) for each in passes)
    best = BestPass(first)
    for found in others:
        best.takes(found)
    return dict(best.best)


def test_within_one_standard_error_the_least_loss_is_kept() -> None:
    assert kept((0.70, 0.9), (0.80, 0.7), (0.785, 0.6)) == told(0.785, 0.6)
    assert kept((0.70, 0.9), (0.80, 0.7), (0.775, 0.6)) == told(0.80, 0.7)
    assert kept((0.70, 0.9), (0.80, 0.7), (0.785, 0.71)) == told(0.80, 0.7)


def test_a_pass_that_falls_behind_the_highest_makes_room_even_for_a_greater_loss() -> None:
    assert kept((0.70, 0.9), (0.76, 0.6), (0.80, 0.65)) == told(0.80, 0.65)


def test_nothing_less_accurate_than_the_start_is_kept() -> None:
    assert kept((0.80, 0.9), (0.79, 0.5)) == told(0.80, 0.9)
    assert kept((0.80, 0.9), (0.80, 0.5)) == told(0.80, 0.5)


def test_single_ratings_count_where_there_are_no_pairs() -> None:
    assert kept((0.70, 0.9), (0.80, 0.7), (0.785, 0.6), kind="point") == told(0.785, 0.6, kind="point")


def test_without_choices_the_loss_alone_tells() -> None:
    best = BestPass({"loss": 0.9})
    assert best.takes({"loss": 0.8})
    assert not best.takes({"loss": 0.85})
