"""Holds designs to the models of `transformers` with copied weights, and writes what was measured.

In: the `genesys` program, a scratch folder, names of peers (all without). Out: a line for each peer on standard output, and
with `--figures` the rows of the table in docs/mechanisms.md. Exit status 1 where a peer is further off than `LIMIT` or
cannot be compared. `cargo xtask peers` calls it; nothing of the project depends on it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import attention
from measure import Figures, Unequal, measure
from peer import Peer

LIMIT = 0.005
DESIGNS = Path(__file__).parent / "designs"
MAKERS: tuple[Callable[[], Peer], ...] = (*attention.PEERS,)


def main() -> int:
    arguments = parsed()
    # The same sums in the same order, whatever the machine.
    torch.set_num_threads(1)
    makers = {maker.__name__: maker for maker in MAKERS}
    unknown = [name for name in arguments.names if name not in makers]
    if unknown:
        print(f"expected names of peers, found {', '.join(unknown)}; there are {', '.join(makers)}", file=sys.stderr)
        return 1
    rows, failed = [], 0
    for name in arguments.names or makers:
        peer = makers[name]()
        try:
            figures = measure(peer, arguments.genesys.resolve(), DESIGNS, arguments.scratch)
        except Unequal as reason:
            print(f"{peer.name}: {reason}", file=sys.stderr)
            failed += 1
            continue
        held = figures.worst() <= LIMIT
        failed += not held
        print(told(peer, figures, held), flush=True)
        rows.append(row(peer, figures))
    print(f"{len(rows)} compared, {failed} failed")
    if arguments.figures and not failed:
        arguments.figures.write_text("".join(rows))
    return 1 if failed else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genesys", type=Path, required=True, help="the program")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder for weights and results")
    parser.add_argument("--figures", type=Path, help="where to write the rows of the table")
    parser.add_argument("names", nargs="*", metavar="PEER", help="which peers; all without")
    return parser.parse_args()


def told(peer: Peer, figures: Figures, held: bool) -> str:
    """A line for the terminal."""
    end = "" if held else f"  above {LIMIT}"
    return (
        f"{peer.name:<16} logits {figures.logits:.1e}  gradients {figures.gradient:.1e} ({figures.weight})"
        f"  {figures.parameters:,} parameters{end}"
    )


def row(peer: Peer, figures: Figures) -> str:
    """A row of the table."""
    left = peer.left or "-"
    return (
        f"| {peer.title} | [{peer.name}](../tests/peers/designs/{peer.name}.gau) | {peer.mechanisms} | {left} "
        f"| {figures.logits:.0e} | {figures.gradient:.0e} |\n"
    )


if __name__ == "__main__":
    sys.exit(main())
