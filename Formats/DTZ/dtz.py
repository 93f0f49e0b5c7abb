"""DTZ put together by hand, for vectors and tests: every field is stated here, none read from our code.

Frames are made of raw blocks, which every zstd decoder reads, so that no compressor is needed and the
bytes never change.
"""

import hashlib
import struct

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5)


def rotate(x, bits):
    return (x << bits | x >> (64 - bits)) & MASK


def xxh64(data):
    """XXH64 with seed 0, after the xxHash specification."""
    def round(sum, word):
        return rotate((sum + word * P2) & MASK, 31) * P1 & MASK

    at = 0
    if len(data) >= 32:
        sums = [(P1 + P2) & MASK, P2, 0, -P1 & MASK]
        while len(data) - at >= 32:
            words = struct.unpack_from("<4Q", data, at)
            sums = [round(s, w) for s, w in zip(sums, words)]
            at += 32
        h = sum(rotate(s, b) for s, b in zip(sums, (1, 7, 12, 18))) & MASK
        for s in sums:
            h = ((h ^ round(0, s)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + len(data)) & MASK
    while len(data) - at >= 8:
        h = (rotate(h ^ round(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if len(data) - at >= 4:
        h = (rotate(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def frame(content, checksum=None):
    """A zstd frame of one raw block: single segment, 4 bytes of size, checksum."""
    assert len(content) < 1 << 17
    block = struct.pack("<I", 1 | len(content) << 3)[:3] + content
    check = xxh64(content) & 0xFFFFFFFF if checksum is None else checksum
    return struct.pack("<IBI", 0xFD2FB528, 0xA4, len(content)) + block + struct.pack("<I", check)


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<I", len(data)) + data


def encoding(kind, name, more=b""):
    return bytes([kind, len(name)]) + name.encode() + more


NONE = (0, [1])
PAIRS = (1, [1, 1])
QUADS = (1, [1, 1, 1, 1])
CODES = (5, [1, 1])  # exponents in pairs
QUAD_CODES = (5, [1, 1, 1, 1])
PALETTES = (8 | 1 << 4, [64])  # of 32 elements of two bytes
WIDE_PALETTES = (8 | 2 << 4, [256])  # of 64 elements of four bytes
CODE_PALETTES = (8, [1, 1, 32])


def split(transform, data, base=None):
    """What a writer makes of a chunk."""
    flags, fields = transform
    if flags & 2:
        data = bytes(a ^ b for a, b in zip(data, base))
    size = sum(fields)
    records = [data[i:i + size] for i in range(0, len(data) // size * size, size)]
    if flags & 1:
        bits = 8 * size
        turned = (int.from_bytes(r, "little") for r in records)
        records = [((x << 1 | x >> (bits - 1)) & ((1 << bits) - 1)).to_bytes(size, "little")
                   for x in turned]
    planes, start = b"", 0
    for field in fields:
        planes += b"".join(r[start:start + field] for r in records)
        start += field
    rest = data[len(records) * size:]
    if flags & 8:
        at = len(records) * (size - fields[-1])
        groups = [r[size - fields[-1]:] for r in records]
        return planes[:at] + rest + palettes(groups, 1 << (flags >> 4))
    if flags & 4:
        at = len(records) * (size - 1)
        return planes[:at] + rest + codes(planes[at:])
    return planes + rest


def codes(plane, lowest=0x70):
    """Exponents from `lowest` on in four bits, the others behind them."""
    four = [min((e - lowest) % 256, 15) for e in plane] + [0] * (len(plane) % 2)
    escapes = bytes(e for e in plane if (e - lowest) % 256 > 14)
    return bytes([lowest]) + bytes(a | b << 4 for a, b in zip(four[::2], four[1::2])) + escapes


def palettes(groups, width):
    """Groups of at most sixteen values as these and codes, the others behind them."""
    flags, tables, four, others = b"", [], b"", b""
    for group in groups:
        elements = [int.from_bytes(group[i:i + width], "little", signed=True)
                    for i in range(0, len(group), width)]
        values = sorted(set(elements))
        if len(values) > 16:
            flags, others = flags + b"\1", others + group
            continue
        flags += b"\0"
        steps = values[:1] + [b - a for a, b in zip(values, values[1:])]
        steps += [0] * (16 - len(values))
        tables.append(b"".join((s % (1 << 8 * width)).to_bytes(width, "little") for s in steps))
        numbers = [values.index(e) for e in elements]
        four += bytes(a | b << 4 for a, b in zip(numbers[::2], numbers[1::2]))
    return flags + b"".join(bytes(t[k] for t in tables) for k in range(16 * width)) + four + others


class Tensor:
    """chunk: bytes in a chunk; transforms: the number of each chunk's."""

    def __init__(self, name, encoding, shape, data, chunk=None, transforms=(0,), digest=None,
                 checksum=None, base=None, frames=None):
        self.name, self.encoding, self.shape, self.data = name, encoding, shape, data
        self.chunk = chunk or max(1, len(data))
        self.transforms = transforms
        self.digest = digest or hashlib.sha256(data).digest()
        self.checksum, self.base, self.frames = checksum, base, frames

    def entry(self):
        return (string(self.name) + encoding(*self.encoding) + bytes([len(self.shape)])
                + b"".join(struct.pack("<Q", d) for d in self.shape))

    def chunks(self, table):
        """(frame, XXH64 of the chunk)"""
        for number, start in enumerate(range(0, len(self.data), self.chunk)):
            data = self.data[start:start + self.chunk]
            id = self.transforms[min(number, len(self.transforms) - 1)]
            base = self.base and self.base[start:start + self.chunk]
            content = split(table[id] if id < len(table) else NONE, data, base) + bytes([id])
            made = self.frames[number] if self.frames else frame(content)
            yield made, xxh64(data) if self.checksum is None else self.checksum


def content_digest(tensors):
    lines = b""
    for t in sorted(tensors, key=lambda t: t.name.encode()):
        shape = "×".join(map(str, t.shape))
        lines += f"{t.digest.hex()}  {t.encoding[1]} [{shape}]  {t.name}\n".encode()
    return hashlib.sha256(lines).digest()


def original(size, places, remainder):
    return (struct.pack("<QQ", size, len(places))
            + b"".join(struct.pack("<IQ", *p) for p in places) + remainder)


def dtz(tensors=(), sections=(), transforms=(NONE,), capacity=1 << 20, dialect=0, base=None,
        version=1, flags=0, directory=None, index=None, magic=b"DTZ", footer_offset=None,
        claims=None):
    """A file. sections: (kind, name, content). base: (name, digest)."""
    frames = [frame(c) for _, _, c in sections]
    body = struct.pack("<IB", capacity, dialect)
    body += b"\1" + string(base[0]) + base[1] if base else b"\0"
    body += struct.pack("<Q", len(sections))
    for (kind, name, content), made in zip(sections, frames):
        body += bytes([kind]) + string(name)
        body += struct.pack("<QQQ", len(content), len(made), xxh64(content))
    body += struct.pack("<Q", len(transforms))
    for bits, fields in transforms:
        body += struct.pack("<BH", bits, len(fields)) + b"".join(struct.pack("<I", f) for f in fields)
    body += struct.pack("<Q", len(tensors)) + b"".join(t.entry() for t in tensors)
    if directory:
        body = directory(body)
    made = frame(body)
    file = struct.pack("<II", 0x184D2A50, 32) + magic + struct.pack(
        "<BIQQQ", version, flags, len(made), claims or len(body), xxh64(body)) + made
    file += b"".join(frames)
    entries = b""
    for t in tensors:
        entries += t.digest
        for chunk, checksum in t.chunks(transforms):
            file += chunk
            entries += struct.pack("<IQ", len(chunk), checksum)
    entries = content_digest(tensors) + entries
    if index:
        entries = index(entries)
    made = frame(entries)
    footer = struct.pack(
        "<IIQQQQI", 0x184D2A50, 40, len(file) if footer_offset is None else footer_offset,
        len(made), len(entries), xxh64(entries), flags)
    return file + made + footer + b"DTZ" + bytes([version])
