"""The section of docs/mechanisms.md that holds the last figures of all peers."""

from __future__ import annotations

import datetime
import textwrap
from importlib.metadata import version
from pathlib import Path

from measure import ROWS, Figures
from peer import LAYERS, POSITIONS, WIDTH, Peer

HEADING = "## Against transformers\n"
LINE = 120
HEAD = """\
| peer | design | shows | switched off | logits | gradients |
| --- | --- | --- | --- | --- | --- |
"""


def write(page: Path, measured: list[tuple[Peer, Figures]]) -> None:
    """Replaces what stands from the heading on, or adds it at the end."""
    before = page.read_text().partition(HEADING)[0].rstrip()
    page.write_text(f"{before}\n\n{section(measured)}")


def section(measured: list[tuple[Peer, Figures]]) -> str:
    """The heading, how it was measured, and a row for each peer."""
    libraries = f"`transformers` {version('transformers')} on `torch` {version('torch').partition('+')[0]}"
    how = (
        f"Whole models of {libraries}, and designs that say the same, on the same weights: width {WIDTH}, {LAYERS} "
        f"layers or a few more, {ROWS} rows of {POSITIONS} tokens, noise on every weight, f32 on both sides. The "
        "errors are taken as above, of the logits, and of the gradient of each weight, of which the largest stands "
        "here. Every weight of a peer is in its design, or moves no logit, and then its gradient is held to be zero."
    )
    today = datetime.date.today().isoformat()
    when = f"Measured on {today} and written by `cargo xtask peers`; `tests/peers` says how."
    text = "\n\n".join(textwrap.fill(paragraph, LINE, break_on_hyphens=False) for paragraph in (how, when))
    return f"{HEADING}\n{text}\n\n{HEAD}{''.join(row(peer, figures) for peer, figures in measured)}"


def row(peer: Peer, figures: Figures) -> str:
    """A row of the table."""
    design = f"[{Path(peer.path()).stem}](../{peer.path()})"
    errors = short(figures.logits), short(figures.gradient)
    return f"| {' | '.join((peer.title, design, peer.mechanisms, peer.left, *errors))} |\n"


def short(error: float) -> str:
    """One digit and a power of ten, as in the table above it."""
    digit, _, power = f"{error:.0e}".partition("e")
    return f"{digit}e{int(power)}"
