"""Writes Sources/BlockFormats/CodebookTables.swift from the tables of the gguf package.

    pip install gguf==0.19.0
    python3 Sources/BlockFormats/make_codebook_tables.py
"""
import importlib.metadata
import pathlib
import textwrap

import numpy as np
from gguf import quants

TARGET = pathlib.Path(__file__).parent / "CodebookTables.swift"

HEADER = '''\
// Made by make_codebook_tables.py from gguf {version}. Do not edit.

/// Which vectors belong to each codebook.
///
/// With L possible levels, a vector of small numbers is a number in base L, first element last. Bit n
/// of a table says whether vector n belongs to the codebook; entries count in ascending order. Four
/// bits in a hexadecimal digit, the lowest of them first.
enum CodebookTables {{
'''


def table(name):
    encoding = getattr(quants, name)
    encoding.init_grid()
    levels = np.array(encoding.grid_map)
    entries = np.searchsorted(levels, encoding.grid.reshape(encoding.grid_shape))
    dimensions = entries.shape[1]
    numbers = (entries * len(levels) ** np.arange(dimensions)).sum(axis=1)
    assert (np.diff(numbers) > 0).all()
    bits = np.zeros(-(-len(levels) ** dimensions // 4) * 4, int)
    bits[numbers] = 1
    digits = "".join(f"{digit:X}" for digit in bits.reshape(-1, 4) @ [1, 2, 4, 8])
    body = " \\\n".join("        " + line for line in textwrap.wrap(digits, 88))
    body = body.replace(" \\\n", "\\\n")
    levels = " ".join(str(level) for level in encoding.grid_map)
    return (f"    /// {len(entries)} vectors of {dimensions} levels: {levels}.\n"
            f'    static let {name.lower()} = """\n{body}\n        """\n')


def main():
    names = ["IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"]
    text = HEADER.format(version=importlib.metadata.version("gguf"))
    TARGET.write_text(text + "\n".join(table(name) for name in names) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
