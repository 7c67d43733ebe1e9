"""Recurrences over time in the chunked matrix form of their papers: no loop over positions, one over chunks.

All take and give [b, t, h, ..]. Within a chunk of C positions, `fade` is the running sum of the logarithms of the decays,
so that what position s wrote has faded by exp(fade_t - fade_s) when t reads it. Each is equal to its recurrence in exact
arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor


def in_chunks(x: Tensor, size: int) -> Tensor:
    """[b, t, h, ..] to [b, h, n, c, ..]."""
    return x.unflatten(1, (-1, size)).movedim(3, 1)


def in_time(x: Tensor) -> Tensor:
    """[b, h, n, c, ..] to [b, t, h, ..]."""
    return x.movedim(1, 3).flatten(1, 2)


def starts(fade: Tensor, writes: Tensor) -> Tensor:
    """The state at the start of each chunk, [b, h, n, k, v]: S <- fade S + writes, from 0."""
    state = torch.zeros_like(writes[:, :, 0])
    states = []
    for kept, written in zip(fade.unbind(2), writes.unbind(2), strict=True):
        states.append(state)
        state = kept * state + written
    return torch.stack(states, 2)


def past(scores: Tensor, fade: Tensor) -> Tensor:
    """Scores [.., c, c] of a decay that all channels share, faded, and 0 in the future."""
    c = fade.shape[-1]
    allowed = torch.ones(c, c, dtype=torch.bool).tril()
    between = (fade[..., :, None] - fade[..., None, :]).masked_fill(~allowed, -torch.inf)
    return scores * between.exp()


def diagonal(q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, bonus: Tensor | None, size: int) -> Tensor:
    """S_t = diag(a_t) S_{t-1} + k_t v_t', with a decay of each key channel (Yang et al., 2024; Peng et al., 2024).

    y_t = S_t' q_t; with a bonus u [h, k], y_t = (S_{t-1} + (u k_t) v_t')' q_t. Decays are taken from the chunk's middle, which
    keeps the exponents half as large.
    """
    if bonus is not None:
        now = (q * bonus * k).sum(-1, keepdim=True) * v
    q, k, v, log_decay = (in_chunks(x, size) for x in (q, k, v, log_decay))
    fade = log_decay.cumsum(-2)
    end, middle = fade[..., -1:, :], fade[..., size // 2 - 1 : size // 2, :]
    read = fade if bonus is None else fade - log_decay
    scores = (q * (read - middle).exp()) @ (k * (middle - fade).exp()).mT
    inner = scores.tril(0 if bonus is None else -1) @ v
    writes = (k * (end - fade).exp()).mT @ v
    y = in_time(inner + (q * read.exp()) @ starts(end.exp().mT, writes))
    return y if bonus is None else y + now


def scalar(q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, size: int) -> Tensor:
    """S_t = a_t S_{t-1} + k_t v_t', y_t = S_t' q_t, with keys and queries [b, t, k] that all heads share (Dao and Gu, 2024)."""
    heads, features = v.shape[2:]
    q, k = (x.unflatten(1, (-1, size)) for x in (q, k))  # [b, n, c, k]
    v, log_decay = in_chunks(v, size), in_chunks(log_decay, size)  # [b, h, n, c, ..]
    fade = log_decay.cumsum(-1)
    end = fade[..., -1:]
    inner = past((q @ k.mT)[:, None], fade) @ v
    # The heads' features side by side, for keys that all of them share: [b, n, c, h v].
    faded = (v * (end - fade).exp()[..., None]).movedim(1, 3).flatten(3)
    writes = (k.mT @ faded).unflatten(-1, (heads, features)).movedim(3, 1)
    before = starts(end.exp()[..., None], writes).movedim(1, 3).flatten(3)  # [b, n, k, h v]
    outer = (q @ before).unflatten(-1, (heads, features)).movedim(3, 1)
    return in_time(inner + outer * fade.exp()[..., None])


def delta(q: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, rate: Tensor, size: int) -> Tensor:
    """S_t = a_t (I - b_t k_t k_t') S_{t-1} + b_t k_t v_t', y_t = S_t' q_t (Yang et al., 2025, in its WY form)."""
    q, k, v, log_decay, rate = (in_chunks(x, size) for x in (q, k, v, log_decay, rate))
    fade, rate = log_decay.cumsum(-1), rate[..., None]
    end = fade[..., -1:]
    # What each position writes, if the chunk began with nothing, and what it takes from the state at the start:
    # (I + strictly lower part) [u, w] = b [v, exp(fade) k].
    system = past(rate * (k @ k.mT), fade).tril(-1)
    asked = torch.cat((rate * v, rate * fade.exp()[..., None] * k), -1)
    solved = torch.linalg.solve_triangular(system, asked, upper=False, unitriangular=True)
    u, w = solved.split((v.shape[-1], k.shape[-1]), -1)
    scores = past(q @ k.mT, fade)
    read, write = q * fade.exp()[..., None], (k * (end - fade).exp()[..., None]).mT
    kept = end.exp()[..., None]
    state = k.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1])
    results = []
    for n in range(k.shape[2]):
        written = u[:, :, n] - w[:, :, n] @ state
        results.append(read[:, :, n] @ state + scores[:, :, n] @ written)
        state = kept[:, :, n] * state + write[:, :, n] @ written
    return in_time(torch.stack(results, 2))
