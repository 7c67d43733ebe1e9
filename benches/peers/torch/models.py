"""The designs of the project that are measured, written as one writes them in PyTorch: batch first, [b, t, d].

Each says what its `.gau` file says, so that both give one loss with the same weights; classes are named as its units.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import recurrences
from parts import (
    LayerNorm,
    Linear,
    Merged,
    Model,
    Residuals,
    RmsNorm,
    Rope,
    ShortConv,
    Size,
    SwiGlu,
    convolved,
)


class Attention(nn.Module):
    """Eight heads, rotary positions, biases; the fused attention of PyTorch."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.heads = size.width, 8
        self.qkv = Merged(d, {"q": d, "k": d, "v": d}, bias=True)
        self.rope = Rope(d // self.heads, size.context)
        self.linear = Linear(d, d, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in self.qkv(x))  # [b, t, h, e]
        q, k, v = (part.transpose(1, 2) for part in (self.rope(q), self.rope(k), v))
        y = functional.scaled_dot_product_attention(q, k, v.to(q.dtype), is_causal=True)
        return self.linear(y.transpose(1, 2).flatten(2))


def gpt(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(attention_norm=RmsNorm(d), h=Attention(size), mlp_norm=RmsNorm(d), swi_glu=SwiGlu(d))

    return Model(size, [block() for _ in range(size.blocks)], RmsNorm(d))


class GatedLinearAttention(nn.Module):
    """A matrix state per head, with a decay of each key channel (Yang et al., 2024)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.k, self.v, low = size.width, 32, 64, 16
        self.heads = d // 64
        keys, values = self.heads * self.k, self.heads * self.v
        self.all = Merged(d, {"q": keys, "k": keys, "v": values, "gate": values, "low": low})
        self.decay = Linear(low, keys, bias=True)
        self.rms_norm = RmsNorm(self.v)
        self.linear = Linear(values, d)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v, gate, low = self.all(x)
        q, k, v, gate, decay = (
            part.unflatten(-1, (self.heads, -1))
            for part in (q * self.k**-0.5, k, v, functional.silu(gate), functional.logsigmoid(self.decay(low)) / 16)
        )
        y = recurrences.diagonal(q, k, v, decay, None, size=32)
        return self.linear((self.rms_norm(y) * gate).flatten(2))


def gla(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(mixer_norm=RmsNorm(d), h=GatedLinearAttention(size), mlp_norm=RmsNorm(d), swi_glu=SwiGlu(d))

    return Model(size, [block() for _ in range(size.blocks)], RmsNorm(d))


class MambaLayer(nn.Module):
    """A matrix state per head that the input makes decay and writes to, behind a short convolution (Dao and Gu, 2024)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.p, n = size.width, 128, 64
        self.heads = 2 * d // self.p
        features = 2 * d
        self.all = Merged(d, {"z": features, "u": features, "b": n, "c": n, "dt": self.heads})
        self.u_conv, self.b_conv, self.c_conv = ShortConv(features), ShortConv(n), ShortConv(n)
        self.a = nn.Parameter(torch.empty(self.heads))
        self.dt_bias = nn.Parameter(torch.empty(self.heads))
        self.rms_norm = RmsNorm(features)
        self.linear = Linear(features, d)

    def forward(self, x: Tensor) -> Tensor:
        z, u, b, c, dt = self.all(x)
        u = functional.silu(self.u_conv(u)).unflatten(-1, (self.heads, self.p))
        b, c = functional.silu(self.b_conv(b)), functional.silu(self.c_conv(c))
        dt = functional.softplus(dt + self.dt_bias)  # [b, t, h]
        y = recurrences.scalar(c, b, dt[..., None] * u, -self.a.exp() * dt, size=64)
        return self.linear(self.rms_norm(y.flatten(2) * functional.silu(z)))


def mamba2(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(first_norm=RmsNorm(d), h=MambaLayer(size), second_norm=RmsNorm(d), layer=MambaLayer(size))

    return Model(size, [block() for _ in range(size.blocks)], RmsNorm(d))


def shifted(x: Tensor) -> Tensor:
    """The value at the position before, 0 at the first."""
    return functional.pad(x, (0, 0, 1, -1))


class LowRank(nn.Module):
    """A map through 64 features with tanh, and a bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.low = Linear(inputs, 64)
        self.linear = Linear(64, outputs, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.low(x).tanh())


class TimeMix(nn.Module):
    """A decay of each key channel and a bonus for the present, behind token shifts that the input sets (Peng et al., 2024)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.heads, self.mixtures, self.m = size.width, 4, 5, 32
        keys, values = self.heads * (d // 8), self.heads * (d // 4)
        self.mu = nn.Parameter(torch.empty(d))
        self.u = nn.Parameter(torch.empty(self.heads, d // 8))
        self.low = Linear(d, self.mixtures * self.m)
        self.mix = nn.Module()
        self.mix.weight = nn.Parameter(torch.empty(self.mixtures, d, self.m))
        self.mix.bias = nn.Parameter(torch.empty(self.mixtures, d))
        self.r, self.k, self.v = Linear(d, keys), Linear(d, keys), Linear(d, values)
        self.w, self.g = LowRank(d, keys), LowRank(d, values)
        self.normed = LayerNorm(self.heads, d // 4)
        self.linear = Linear(values, d)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        delta = shifted(x) - x
        low = self.low(x + delta * self.mu).tanh().view(b * t, self.mixtures, self.m).transpose(0, 1)
        mix = torch.baddbmm(self.mix.bias[:, None], low, self.mix.weight.mT).view(self.mixtures, b, t, -1)
        of_r, of_w, of_k, of_v, of_g = x + delta * mix
        r, w, k, v = (
            part.unflatten(-1, (self.heads, -1)) for part in (self.r(of_r), self.w(of_w), self.k(of_k), self.v(of_v))
        )
        y = recurrences.diagonal(r, k, v, -w.exp(), self.u, size=16)
        return self.linear(self.normed(y).flatten(2) * functional.silu(self.g(of_g)))


class ChannelMix(nn.Module):
    """sigmoid(W_r x1) * W_v relu(W_k x2)^2 of two shifted x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 7 * width // 2
        self.mu_k, self.mu_r = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.k, self.r, self.linear = Linear(width, hidden), Linear(width, width), Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        delta = shifted(x) - x
        k = self.k(x + delta * self.mu_k).relu()
        return self.r(x + delta * self.mu_r).sigmoid() * self.linear(k * k)


def rwkv6(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(time_norm=LayerNorm(d), h=TimeMix(size), channel_norm=LayerNorm(d), channel_mix=ChannelMix(d))

    return Model(size, [block() for _ in range(size.blocks)], LayerNorm(d))


class GatedDelta(nn.Module):
    """The delta rule on a state that fades, two value heads for each key head (Yang et al., 2025)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.groups, self.shared = size.width, 2, 2
        self.features = d // 4
        self.heads = self.groups * self.shared
        keys, values = self.groups * self.features, self.heads * self.features
        rows = {"q": keys, "k": keys, "v": values, "gate": values, "b": self.heads, "a": self.heads}
        self.all = Merged(d, rows)
        self.q_conv, self.k_conv, self.v_conv = ShortConv(keys), ShortConv(keys), ShortConv(values)
        self.l, self.dt_bias = nn.Parameter(torch.empty(self.heads)), nn.Parameter(torch.empty(self.heads))
        self.rms_norm = RmsNorm(self.features)
        self.linear = Linear(values, d)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v, gate, b, a = self.all(x)
        q, k = self.unit(self.q_conv(q)) * self.features**-0.5, self.unit(self.k_conv(k))
        v = functional.silu(self.v_conv(v)).unflatten(-1, (self.heads, self.features))
        decay = -self.l.exp() * functional.softplus(a + self.dt_bias)
        y = recurrences.delta(q, k, v, decay, b.sigmoid(), size=32)
        gate = functional.silu(gate).unflatten(-1, (self.heads, self.features))
        return self.linear((self.rms_norm(y) * gate).flatten(2))

    def unit(self, x: Tensor) -> Tensor:
        """Of length 1, once for each value head: [b, t, h, k]."""
        x = functional.silu(x).unflatten(-1, (self.groups, self.features))
        x = x * ((x * x).sum(-1, keepdim=True) + 1e-6).rsqrt()
        return x.repeat_interleave(self.shared, 2)


def gated_delta_net(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(mixer_norm=RmsNorm(d), h=GatedDelta(size), mlp_norm=RmsNorm(d), swi_glu=SwiGlu(d))

    return Model(size, [block() for _ in range(size.blocks)], RmsNorm(d))


class Convolved(nn.Module):
    """Causal depthwise convolution with a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernel, self.bias = nn.Parameter(torch.empty(4, width)), nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.kernel) + self.bias


class Ttt(nn.Module):
    """A linear model that learns while it reads, in chunks of 16, in the dual form of its paper (Sun et al., 2024)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        d, self.features, self.chunk = size.width, 64, 16
        self.heads = d // self.features
        self.all = Merged(d, {"q": d, "k": d, "v": d})
        self.rope = Rope(self.features, size.context, period=self.chunk)
        self.learned = nn.Parameter(torch.empty(self.chunk))
        self.rate = Linear(d, self.heads, bias=True)
        self.w0 = nn.Parameter(torch.empty(self.heads, self.features, self.features))
        self.b0, self.gain, self.shift = (nn.Parameter(torch.empty(self.heads, self.features)) for _ in range(3))
        self.layer_norm = LayerNorm(self.features)
        self.linear = Linear(d, d)
        self.register_buffer("before", 1 / torch.arange(1, self.chunk + 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in self.all(x))
        rate = self.rate(x).sigmoid() / self.features
        q, k, v, rate = (recurrences.in_chunks(part, self.chunk) for part in (self.rope(q), self.rope(k), v, rate))
        y = recurrences.in_time(self.learn(q, k, v, rate))
        return self.linear(self.layer_norm(y).flatten(2))

    def learn(self, q: Tensor, k: Tensor, v: Tensor, rate: Tensor) -> Tensor:
        """What the model says of each query, [b, h, n, c, e]: a step of gradient descent for each chunk."""
        step = (self.before + self.learned).relu()[:, None]  # [c, 1]
        gain, shift = self.gain[:, None], self.shift[:, None]  # [h, 1, e]
        # A position moves weights and bias, so the product of keys and queries counts one more.
        scores = step * ((q @ k.mT + 1) * rate[..., None, :]).tril()
        goal = v - k - self.shift[:, None, None]
        w, b = self.w0.expand(q.shape[0], -1, -1, -1), self.b0[:, None].expand(q.shape[0], -1, -1, -1)
        results = []
        for n in range(q.shape[2]):
            z, deviation = normed(k[:, :, n] @ w + b)
            slope = gain * (gain * z - goal[:, :, n])
            slope = (slope - slope.mean(-1, keepdim=True) - z * (slope * z).mean(-1, keepdim=True)) / deviation
            seen, _ = normed(q[:, :, n] @ w + b - scores[:, :, n] @ slope)
            results.append(q[:, :, n] + gain * seen + shift)
            moved = step[-1] * rate[:, :, n, :, None] * slope
            w, b = w - k[:, :, n].mT @ moved, b - moved.sum(-2, keepdim=True)
        return torch.stack(results, 2)


def normed(x: Tensor) -> tuple[Tensor, Tensor]:
    """Layer normalization without weights, and the deviation it divides by."""
    centered = x - x.mean(-1, keepdim=True)
    deviation = (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return centered / deviation, deviation


def ttt_linear(size: Size) -> Model:
    d = size.width

    def block() -> nn.Module:
        return Residuals(
            conv_norm=RmsNorm(d),
            a=Convolved(d),
            ttt_norm=RmsNorm(d),
            b=Ttt(size),
            mlp_norm=RmsNorm(d),
            swi_glu=SwiGlu(d, 5 * d // 2),
        )

    return Model(size, [block() for _ in range(size.blocks)], RmsNorm(d))


MODELS: dict[str, Callable[[Size], Model]] = {
    make.__name__: make for make in (gpt, gla, mamba2, rwkv6, gated_delta_net, ttt_linear)
}
