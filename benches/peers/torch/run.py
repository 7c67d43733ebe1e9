"""The side of PyTorch in `cargo xtask versus torch`: does on its standard input's word what is measured.

In: a line of JSON at a time. `{"load": WORK, "form": "eager" | "compiled" | "blocks"}` makes a training or an expression ready and
runs it once; `{"step": N}` runs it N times. Out: a line for each; first `{"library", "threads"}`, then `{"ready": seconds,
"value"}`, and `{"milliseconds", "value"}` for a step, the mean of N. `value` is the loss. It ends when its input does. It chooses nothing and compares nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time

import torch

from training import Training


def main() -> None:
    torch.set_num_threads(int(os.environ["THREADS"]))
    say(library=f"torch {torch.__version__}", threads=torch.get_num_threads())
    work: Training | None = None
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        if "load" in request:
            torch.compiler.reset()
            work = Training(request["load"], request["form"])
            value = work.step()
            say(ready=time.perf_counter() - start, value=value)
        else:
            for _ in range(request["step"]):
                value = work.step()
            say(milliseconds=(time.perf_counter() - start) * 1e3 / request["step"], value=value)


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
