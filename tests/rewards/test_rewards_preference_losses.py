"""Losses and accuracy rules of choices: closed forms, invariances, golden values of the published rules (oracle C7)."""

import math

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.rewards.preference_accuracy import (
    inversion_accuracy,
    reward_accuracy,
    strict_agreement,
    tie_aware_accuracy,
    tie_threshold,
)
from redraft.rewards.preference_losses import (
    Ties,
    begun_ratings,
    divergence_loss,
    log_probabilities,
    pair_loss,
    rating_point_loss,
    uncertain_loss,
)

MODELS: tuple[Ties, ...] = ("none", "rao-kupper", "davidson")
FIRST, SECOND, TIE = torch.eye(3)


def margins(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def rows(outcome: torch.Tensor, count: int) -> torch.Tensor:
    return outcome.expand(count, 3).double()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_equal_scores_cost_log_two_whatever_the_label(share: float) -> None:
    """Oracle C7."""
    outcome = torch.tensor([[share, 1 - share, 0.0]])
    assert pair_loss(margins(0.0), outcome).item() == pytest.approx(math.log(2), abs=1e-6)
    assert pair_loss(margins(0.0), rows(TIE, 1)).item() == pytest.approx(math.log(2), abs=1e-6)


def test_cosines_at_a_scale_of_a_hundred() -> None:
    """Scores 28 and 27, as PickScore and HPS v2 make of cosines .28 and .27."""
    assert log_probabilities(margins(1.0), ties="none")[0, 0].exp().item() == pytest.approx(0.731058579, abs=1e-9)
    assert pair_loss(margins(1.0), rows(FIRST, 1)).item() == pytest.approx(0.313261688, abs=1e-9)


def test_a_label_of_half_has_no_gradient_at_equal_scores() -> None:
    margin = margins(0.0).requires_grad_(True)
    (gradient,) = torch.autograd.grad(pair_loss(margin, rows(TIE, 1)).sum(), margin)
    assert gradient.item() == 0


@pytest.mark.parametrize("ties", MODELS)
def test_swapping_pictures_and_labels_changes_nothing(ties: Ties) -> None:
    margin = Key(seed=1).normal((50,)).double() * 3
    outcome = Key(seed=2).uniform((50, 3)).double()
    outcome = outcome / outcome.sum(1, keepdim=True)
    swapped = outcome[:, [1, 0, 2]]
    assert torch.allclose(
        pair_loss(margin, outcome, ties=ties, tie=0.4), pair_loss(-margin, swapped, ties=ties, tie=0.4)
    )


def test_divergence_of_a_tie() -> None:
    """PickScore's tie loss: soft cross-entropy minus log 2."""
    found = divergence_loss(margins(0, 1, 2), rows(TIE, 3))
    assert found.tolist() == pytest.approx([0, 0.120114507, 0.433780830], abs=1e-8)


def test_ties_by_rao_and_kupper() -> None:
    """theta = 5, HPSv3's k: tie = log(theta - 1)."""
    margin, tie = margins(0, 1, 3), math.log(4)
    won = pair_loss(margin, rows(FIRST, 3), ties="rao-kupper", tie=tie)
    tied = pair_loss(margin, rows(TIE, 3), ties="rao-kupper", tie=tie)
    assert won.tolist() == pytest.approx([1.791759469, 1.043591778, 0.222291461], abs=1e-8)
    assert tied.tolist() == pytest.approx([0.405465108, 0.545970888, 1.663583709], abs=1e-8)


def test_ties_by_davidson_in_closed_form() -> None:
    """a = e, b = 1, nu = 2: the three parts are e, 1 and 2 sqrt(e)."""
    found = log_probabilities(margins(1.0), ties="davidson", tie=math.log(2))[0].exp()
    whole = math.e + 1 + 2 * math.sqrt(math.e)
    assert found.tolist() == pytest.approx([math.e / whole, 1 / whole, 2 * math.sqrt(math.e) / whole], abs=1e-12)


@pytest.mark.parametrize("ties", MODELS)
@pytest.mark.parametrize("tie", [-3.0, 0.0, 2.0])
def test_probabilities_add_up_and_a_tie_is_likeliest_between_equals(ties: Ties, tie: float) -> None:
    found = log_probabilities(torch.linspace(-6, 6, 25, dtype=torch.float64), ties=ties, tie=tie).exp()
    assert torch.allclose(found.sum(-1), torch.ones(25, dtype=torch.float64))
    assert found[:, 2].argmax() == (12 if ties != "none" else 0)
    assert bool((found[:, 0].diff() > 0).all())


@pytest.mark.parametrize("ties", ["rao-kupper", "davidson"])
def test_a_model_whose_ties_never_happen_is_bradley_and_terry(ties: Ties) -> None:
    margin = margins(-2, 0, 1.5)
    found = log_probabilities(margin, ties=ties, tie=-30.0)[:, :2]
    assert torch.allclose(found, log_probabilities(margin, ties="none")[:, :2], atol=1e-6)


def test_uncertain_margins() -> None:
    mean, spread = margins(0, 1, 2), margins(2, 2, 2).sqrt()
    found = uncertain_loss(mean, spread)
    assert found.tolist() == pytest.approx([0.902661908, 0.491801709, 0.241174490], abs=1e-8)
    sure = uncertain_loss(mean, torch.zeros(3, dtype=torch.float64))
    assert torch.allclose(sure, -torch.nn.functional.logsigmoid(mean))
    # 200,000 samples of a loss with a deviation of about 0.6: standard error 0.0014; four of them.
    drawn = -torch.nn.functional.logsigmoid(1 + math.sqrt(2) * Key(seed=0).normal((200_000,)))
    assert drawn.mean().item() == pytest.approx(0.491801709, abs=0.006)


def test_single_ratings() -> None:
    found = rating_point_loss(margins(3.0, 3.0), margins(1.0, 0.5), offset=2.0)
    assert found.tolist() == pytest.approx([0.313261688, 0.313261688 + 0.5], abs=1e-8)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="give B margins and B,3 shares"):
        pair_loss(margins(0, 1), rows(FIRST, 3))


# --- accuracy --------------------------------------------------------------------------------------------------------


def test_inversions() -> None:
    assert inversion_accuracy([3, 2, 1], [1, 2, 3]) == 1
    assert inversion_accuracy([1, 2, 3], [1, 2, 3]) == 0
    assert inversion_accuracy([3, 1, 2], [1, 1, 1]) == 1  # all tied by people
    assert inversion_accuracy([5, 5, 5], [1, 2, 3]) == 1  # all tied by the scores
    assert inversion_accuracy([9, 1, 2, 0], [1, 2, 2, 3]) == 1  # any order within a human tie
    assert inversion_accuracy([2, 3, 1], [1, 2, 3]) == pytest.approx(2 / 3)
    with pytest.raises(UsageError, match="at least two pictures"):
        inversion_accuracy([1], [1])


def test_ties_of_scores_are_wrong_and_human_ties_dropped_by_image_reward() -> None:
    outcome = torch.stack([FIRST, FIRST, SECOND, TIE])
    assert reward_accuracy(torch.tensor([1.0, 0.0, -1.0, 5.0]), outcome) == pytest.approx(2 / 3)
    assert strict_agreement(torch.tensor([1.0, 0.0, -1.0, 5.0]), outcome).tolist() == [1, 0.5, 1]
    with pytest.raises(UsageError, match="has a better side"):
        reward_accuracy(torch.zeros(2), torch.stack([TIE, TIE]))


def test_pick_a_pic_counts_ties() -> None:
    outcome = torch.stack([FIRST, SECOND, TIE, TIE])
    margin = torch.tensor([1.0, 1.0, 0.0, 2.0])
    # Everything is predicted a tie: the share of ties plus half the rest.
    assert tie_aware_accuracy(margin, outcome, threshold=1) == 0.75
    # Only exact equality is: right, wrong, right, half.
    assert tie_aware_accuracy(margin, outcome, threshold=0) == pytest.approx(2.5 / 4)
    assert tie_threshold(margin, outcome) == 0.8  # |2 sigmoid(2) - 1| = 0.76
    with pytest.raises(UsageError, match="tie threshold 2"):
        tie_aware_accuracy(margin, outcome, threshold=2)


def test_a_coin_has_the_accuracy_that_the_notes_derive() -> None:
    """Share q of ties, random predictions whose |difference| is uniform: q (t + (1 - t) / 2) + (1 - q) / 2."""
    count, share, threshold = 40_000, 0.3, 0.4
    difference = 2 * Key(seed=3).uniform((count,)).double() - 1
    margin = torch.logit((difference + 1) / 2)
    kind = Key(seed=4).uniform((count,))
    outcome = torch.eye(3)[torch.where(kind < share, 2, (kind * 1e6).long() % 2)]
    expected = share * (threshold + (1 - threshold) / 2) + (1 - share) / 2
    # Standard error of a mean of halves and ones: at most 0.5 / sqrt(40,000) = 0.0025; four of them.
    assert tie_aware_accuracy(margin, outcome, threshold=threshold) == pytest.approx(expected, abs=0.01)


def test_ratings_begin_where_a_logistic_regression_ends() -> None:
    """Against scales and offsets on a fine grid; thumbs drawn at scale 10 and offset 2 of cosines."""
    cosine = 0.2 + 0.1 * Key(seed=0).child("cosine").normal((400,))
    label = (Key(seed=0).child("thumb").uniform((400,)) < torch.sigmoid(10 * cosine - 2)).float()
    weight = 0.5 + Key(seed=0).child("weight").uniform((400,))
    factors = torch.linspace(0, math.log(100), 93).exp()
    best, offset = begun_ratings(cosine, label, weight, factors=factors)
    losses = torch.stack([
        (weight * rating_point_loss(factor * cosine, label, offset=place)).sum() / weight.sum()
        for factor in factors for place in torch.linspace(-2, 8, 101)
    ])  # fmt: skip
    found = (weight * rating_point_loss(factors[best] * cosine, label, offset=offset)).sum() / weight.sum()
    assert losses.min() - 1e-3 < found <= losses.min() + 1e-6
    assert 5 < factors[best] < 20


def test_ratings_that_are_all_alike_are_foreseen_surely_but_not_without_end() -> None:
    _, offset = begun_ratings(torch.tensor([1.0, 2.0, 3.0]), torch.ones(3), torch.ones(3), factors=torch.ones(1))
    assert offset == pytest.approx(1 - math.log(6))
