"""Writes Sources/Tokenization/CompatibilityTable.swift from Python's tables of Unicode.

    python3 Sources/Tokenization/make_compatibility_table.py

Every character whose compatibility decomposition is not its canonical one, with that decomposition.
"""
import pathlib
import textwrap
import unicodedata

TARGET = pathlib.Path(__file__).parent / "CompatibilityTable.swift"

HEADER = '''\
// Made by make_compatibility_table.py from Unicode {version}. Do not edit.

extension CompatibilityDecomposition {{
    /// `character=decomposition`, in hexadecimal, separated by spaces; the characters of a decomposition
    /// by dots. `character+count=first` stands for characters in a row whose decompositions are one
    /// character each, also in a row.
    static let table = """
'''


def main():
    runs = []
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        full = unicodedata.normalize("NFKD", chr(code))
        if full == unicodedata.normalize("NFD", chr(code)):
            continue
        full = [ord(character) for character in full]
        if runs and len(full) == len(runs[-1][2]) == 1:
            first, count, start = runs[-1]
            if code == first + count and full[0] == start[0] + count:
                runs[-1][1] += 1
                continue
        runs.append([code, 1, full])
    entries = [
        f"{code:X}" + (f"+{count}" if count > 1 else "") + "=" + ".".join(f"{x:X}" for x in full)
        for code, count, full in runs
    ]
    lines = textwrap.wrap(" ".join(entries), 89, break_on_hyphens=False)
    body = " \\\n".join("        " + line for line in lines)
    text = HEADER.format(version=unicodedata.unidata_version) + body + '\n        """\n}\n'
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
