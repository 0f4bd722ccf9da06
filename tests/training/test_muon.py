"""Muon beside PyTorch's."""

import copy

import torch

from charrnn.training.muon import Muon

SHAPES = [(12, 8), (12, 8), (8, 8), (8, 20)]


def matrices() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).requires_grad_() for shape in SHAPES]


def take(optimizer: torch.optim.Optimizer, rate: float | torch.Tensor) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()


def test_its_updates_are_those_of_pytorch() -> None:
    """A matrix without a gradient stays; a rate may be a tensor."""
    ours, theirs = matrices(), matrices()
    by_us = Muon(ours, 0.1, 0.95)
    by_them = torch.optim.Muon(theirs, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for number in range(4):
        for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        take(by_us, torch.tensor(0.1) if number % 2 else 0.1)
        take(by_them, 0.1)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_a_step_that_is_left_out_changes_nothing() -> None:
    left_out, never = matrices(), matrices()
    gradients = [torch.randn_like(one) for one in left_out]
    optimizers = [Muon(left_out, 0.1, 0.95), Muon(never, 0.1, 0.95)]
    for bad in (False, True, False):
        for parameters, optimizer in zip((left_out, never), optimizers, strict=True):
            if bad and parameters is never:
                continue
            for one, gradient in zip(parameters, gradients, strict=True):
                one.grad = torch.full_like(one, torch.nan) if bad else gradient.clone()
            optimizer.found_inf = torch.tensor(float(bad))
            before = copy.deepcopy(parameters)
            take(optimizer, 0.1)
            assert all(torch.equal(one, was) for one, was in zip(parameters, before, strict=True)) == bad
    for one, other in zip(left_out, never, strict=True):
        torch.testing.assert_close(one, other)
