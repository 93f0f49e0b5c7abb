"""How often a 95 % gate on the perplexity ratio trips where there is nothing to find.

    python3 Reports/paired_gate.py MODEL.json REFERENCE.json [PAIRS]

Both are what `evalppl --json` writes for one text. A pair is made by giving each window's two losses to the two sides by the
toss of a coin: neither side is then better than the other, and all else is as real as in the files. Beside it, the interval
of the pair as it was measured.
"""

import json
import math
import random
import sys

# Student's quantile at 0.975, by Cornish and Fisher's expansion; off by less than 1e-4 from 20 degrees of freedom on.
Z = 1.959963985


def quantile(freedom):
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def interval(sums, counts):
    """The mean of the windows' sums per token, and how far it reaches to either side (SampleMean.swift has the formula)."""
    total, groups = sum(counts), len(sums)
    mean = sum(sums) / total
    squares = sum((s - n * mean) ** 2 for s, n in zip(sums, counts))
    return mean, quantile(groups - 1) * math.sqrt(groups / (groups - 1) * squares) / total


model, reference = (json.load(open(path))["blocks"] for path in sys.argv[1:3])
pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
counts = [block["tokens"] for block in model]
excess = [a["negative_log_likelihood"] - b["negative_log_likelihood"] for a, b in zip(model, reference, strict=True)]
assert len(excess) > 20
mean, reach = interval(excess, counts)
print(f"{len(excess)} windows, perplexity ratio {math.exp(mean):.5f} ({math.exp(mean - reach):.5f} to {math.exp(mean + reach):.5f})")
coin = random.Random(1)
trips = 0
for _ in range(pairs):
    mean, reach = interval([e if coin.random() < 0.5 else -e for e in excess], counts)
    trips += mean - reach > 0
print(f"{trips} of {pairs} pairs without a difference trip the gate: {100 * trips / pairs:.2f} %")
