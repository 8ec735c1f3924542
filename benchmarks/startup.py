"""What ``dataguard --help`` costs over ``python -c pass``: at most 0.15 s.

python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT_SECONDS = 0.15
REPEATS = 15


def seconds(*arguments: str) -> float:
    """How long a Python process takes, in seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure both, alternating, and print the medians."""
    bare, helped = [], []
    for _ in range(REPEATS):
        bare.append(seconds("-c", "pass"))
        helped.append(seconds("-m", "dataguard", "--help"))
    extra = statistics.median(helped) - statistics.median(bare)
    print(f"python -c pass    {statistics.median(bare) * 1000:6.0f} ms (median of {REPEATS})")
    print(f"dataguard --help  {statistics.median(helped) * 1000:6.0f} ms")
    print(f"difference        {extra * 1000:6.0f} ms = {extra / LIMIT_SECONDS:.2f} of the limit of 150 ms")


if __name__ == "__main__":
    main()
