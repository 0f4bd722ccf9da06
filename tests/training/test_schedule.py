"""Learning rates and training plans."""

import pytest

from charrnn.training.optim.schedule import Plan, learning_rate, plan_minutes


def test_learning_rate_equals_definition() -> None:
    rates = [learning_rate(step, 14, 1.0, 4) for step in range(15)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[9] == pytest.approx(0.5)
    assert rates[14] == pytest.approx(0.0)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_warmup_does_not_depend_on_number_of_steps() -> None:
    """So `--minutes` can measure during the warm-up, and `--steps` with the resulting number repeats the run."""
    for step in range(100):
        assert learning_rate(step, 0, 4e-3, 100) == learning_rate(step, 5000, 4e-3, 100)


def test_plan_validates_regularly_and_at_the_end() -> None:
    plan = Plan(steps=2600, validate_every=1000, val_characters=1)
    assert [step for step in range(1, 2601) if plan.validates_after(step)] == [1000, 2000, 2600]
    # A validation shortly before the end would repeat the last one.
    plan = Plan(steps=2100, validate_every=1000, val_characters=1)
    assert [step for step in range(1, 2101) if plan.validates_after(step)] == [1000, 2100]


def seconds(plan: Plan, done: int, per_step: float, per_character: float) -> float:
    validations = sum(plan.validates_after(step) for step in range(done + 1, plan.steps + 1))
    return (plan.steps - done) * per_step + validations * plan.val_characters * per_character


@pytest.mark.parametrize("left", [5.0, 60.0, 180.0, 3600.0])
@pytest.mark.parametrize("per_step", [0.005, 0.08])
@pytest.mark.parametrize("val_characters", [10_000, 100_000, 10_000_000])
def test_plan_minutes_fills_but_does_not_exceed_time(left: float, per_step: float, val_characters: int) -> None:
    per_character = 50e-6
    plan = plan_minutes(left, 50, per_step, per_character, val_characters)
    used = seconds(plan, 50, per_step, per_character)
    assert 0.9 * left <= used <= left + per_step
    validating = plan.val_characters * per_character
    assert validating <= 0.2 * left
    if val_characters * 50e-6 <= 0.2 * left:
        assert plan.val_characters == val_characters


def test_plan_minutes_keeps_explicit_validate_every() -> None:
    plan = plan_minutes(100.0, 50, 0.05, 50e-6, 10_000, validate_every=200)
    assert plan.validate_every == 200
    assert 90 <= seconds(plan, 50, 0.05, 50e-6) <= 101


def test_plan_minutes_without_time_has_one_step() -> None:
    assert plan_minutes(-5.0, 50, 0.05, 50e-6, 100_000).steps == 51
    assert plan_minutes(10.0, 50, 0.05, 0.0, 0).steps == 250
