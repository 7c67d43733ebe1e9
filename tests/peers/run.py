"""Holds designs to the models of `transformers` with copied weights.

In: the `genesys` program, a scratch folder, names of peers (all without). Out: a line for each peer on standard
output, and with `--page` the section of that page that holds the last figures. Exit status 1 where a peer is further
off than `LIMIT`, or cannot be compared. `cargo xtask peers` calls it; nothing else of the project depends on it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers.utils import logging

import attention
import hybrid
import mixture
import page
import recurrent
from measure import Figures, IncomparableError, measure
from peer import Peer

LIMIT = 0.005
ROOT = Path(__file__).resolve().parents[2]
MAKERS = (*attention.PEERS, *mixture.PEERS, *recurrent.PEERS, *hybrid.PEERS)


def main() -> int:
    """Measures the peers that were asked for; the exit status."""
    arguments = parsed()
    makers = {maker.__name__: maker for maker in MAKERS}
    unknown = [name for name in arguments.names if name not in makers]
    if unknown:
        print(f"expected names of peers, found {', '.join(unknown)}; there are {', '.join(makers)}", file=sys.stderr)
        return 1
    # One thread, so that sums are taken in the same order on every machine.
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    peers = [makers[name]() for name in arguments.names or makers]
    measured = [(peer, figures) for peer in peers if (figures := told(peer, arguments.genesys, arguments.scratch))]
    held = sum(figures.worst() <= LIMIT for _, figures in measured)
    print(f"{held} of {len(peers)} within {LIMIT}")
    if held < len(peers):
        return 1
    if arguments.page:
        page.write(arguments.page, measured)
    return 0


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genesys", type=Path, required=True, help="the program")
    parser.add_argument("--scratch", type=Path, required=True, help="a folder for weights and results")
    parser.add_argument("--page", type=Path, help="the page to write the figures of all peers to")
    parser.add_argument("names", nargs="*", metavar="PEER", help="which peers; all without")
    arguments = parser.parse_args()
    if arguments.page and arguments.names:
        parser.error("the page holds all peers: name none with --page")
    return arguments


def told(peer: Peer, genesys: Path, scratch: Path) -> Figures | None:
    """The figures of a peer, after a line about them; none where it cannot be compared."""
    try:
        figures = measure(peer, genesys.resolve(), ROOT / peer.path(), scratch)
    except IncomparableError as reason:
        print(f"{peer.name}: {reason}", file=sys.stderr)
        return None
    beyond = "" if figures.worst() <= LIMIT else f"  above {LIMIT}"
    print(
        f"{peer.name:<16} logits {figures.logits:.1e}  gradients {figures.gradient:.1e} ({figures.weight})"
        f"  {figures.parameters:,} parameters{beyond}",
        flush=True,
    )
    return figures


if __name__ == "__main__":
    sys.exit(main())
