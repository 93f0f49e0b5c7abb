"""Makes the conformance vectors of safetensors, GGUF and DTZ, and says what each one holds.

    python3 Formats/make_vectors.py        (needs: pip install gguf safetensors numpy)

Valid vectors come from the official packages where these can make them, invalid ones are put
together by hand. The expectations in expected.json are stated here, never read back by our code.
Running this again must change nothing: the vectors are committed.
"""

import json
import os
import shutil
import struct
import sys

import gguf
import numpy
import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "DTZ"))
sys.dont_write_bytecode = True
from dtz import (  # noqa: E402
    CODE_PALETTES, CODES, NONE, PAIRS, PALETTES, QUAD_CODES, QUADS, WIDE_PALETTES, Tensor, dtz, frame,
    original)
LIMIT = 8192  # bytes; a vector is read by people, too


class Vectors:
    """One format's folder: writes files, remembers expectations."""

    def __init__(self, format):
        self.folder = os.path.join(HERE, format, "Vectors")
        self.expected = {"valid": {}, "invalid": {}}
        for kind in ("valid", "invalid"):
            shutil.rmtree(os.path.join(self.folder, kind), ignore_errors=True)

    def write(self, kind, name, content):
        assert len(content) <= LIMIT, name
        path = os.path.join(self.folder, kind, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def valid(self, name, content, about, tensors=(), metadata=None, canonical=True, open=None):
        """`content` is bytes, or a dict of file names to bytes inside the folder `name`.

        canonical: our writer, given what was read, makes the same bytes again.
        tensors: (name, encoding, shape outermost first, bytes), in the order of the reader.
        """
        self.put("valid", name, content)
        self.expected["valid"][open or name] = {
            "about": about,
            "canonical": canonical,
            "metadata": metadata or {},
            "tensors": [
                {"name": n, "encoding": e, "shape": list(s), "bytes": bytes(b).hex()}
                for n, e, s, b in tensors
            ],
        }

    def invalid(self, name, content, code, subject, offset, about, open=None):
        """subject and offset: what the error names, and the byte that it points to."""
        self.put("invalid", name, content)
        self.expected["invalid"][open or name] = {
            "about": about, "code": code, "subject": subject, "offset": offset}

    def put(self, kind, name, content):
        if isinstance(content, dict):
            for file, part in content.items():
                self.write(kind, f"{name}/{file}", part)
        else:
            self.write(kind, name, content)

    def finish(self):
        with open(os.path.join(self.folder, "expected.json"), "w") as file:
            json.dump(self.expected, file, indent=1, ensure_ascii=True)
            file.write("\n")
        rows = ["| vector | what it is | expected |", "|---|---|---|"]
        for name, entry in self.expected["valid"].items():
            held = f"{len(entry['tensors'])} tensors, {len(entry['metadata'])} keys"
            again = "; rewritten byte for byte" if entry["canonical"] else ""
            rows.append(f"| `valid/{name}` | {entry['about']} | {held}{again} |")
        for name, entry in self.expected["invalid"].items():
            rows.append(
                f"| `invalid/{name}` | {entry['about']} | `{entry['code']}` "
                f"in {entry['subject']}, byte {entry['offset']} |")
        with open(os.path.join(self.folder, "README.md"), "w") as file:
            file.write(
                "# Vectors\n\nMade by `Formats/make_vectors.py`; `expected.json` says the same for "
                "programs, with every value and byte.\n`ConformanceTests` holds our readers and "
                "writers to it, `MutationTests` damages the valid ones.\n\n")
            file.write("\n".join(rows) + "\n")


def some(count, start=1):
    """Bytes that differ from each other."""
    return bytes((start + 7 * i) % 256 for i in range(count))


# ---- safetensors -------------------------------------------------------------------------------


def file_of(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def make_safetensors():
    v = Vectors("Safetensors")
    sizes = [("U64", 8), ("I64", 8), ("F64", 8), ("F32", 4), ("U32", 4), ("I32", 4), ("BF16", 2),
             ("F16", 2), ("U16", 2), ("I16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("I8", 1),
             ("U8", 1), ("BOOL", 1)]
    spelled = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BF16": "bfloat16",
               "BOOL": "bool"}

    def official(tensors, metadata):
        names, buffers = {}, []
        for name, dtype, shape, data in tensors:
            buffers.append(numpy.frombuffer(data, dtype=numpy.uint8))
            word = spelled.get(dtype) or dtype.replace("F", "float").replace("U", "uint").replace(
                "I", "int")
            names[name] = safetensors.TensorSpec(
                dtype=word, shape=list(shape), data_ptr=buffers[-1].ctypes.data, data_len=len(data))
        return bytes(safetensors.serialize(names, metadata=metadata))

    v.valid("empty.safetensors", official([], None), "no tensors; the reference implementation")
    every = [(f"t.{d.lower()}", d, [3], bytes(i % 2 for i in range(3)) if d == "BOOL" else
              some(3 * n, n)) for d, n in sizes]
    v.valid("every-type.safetensors", official(every, {"format": "pt"}),
            "every type, sizes that would misalign in another order; the reference implementation",
            every, {"format": "pt"})
    shapes = [("a", "F32", [2, 1, 2], some(16)), ("scalar", "F32", [], some(4)),
              ("none", "F16", [0, 5], b""), ("row", "F16", [1, 1, 1, 1, 1, 2], some(4))]
    v.valid("shapes.safetensors", official(shapes, None),
            "a scalar, an empty tensor, six dimensions; the reference implementation", shapes)
    names = [("\u65e5\u672c.\u2603", "U8", [1], b"\1"), ("\"\\\n", "U8", [1], b"\2"),
             ("", "U8", [1], b"\3")]
    names.sort(key=lambda t: t[0].encode())
    v.valid("names.safetensors", official(names, {"": "\t"}),
            "an empty name, escapes, other scripts; the reference implementation", names, {"": "\t"})
    one = [("a", "F32", [1], some(4))]
    v.valid("unpadded-header.safetensors", file_of({"a": entry()}, some(4)),
            "a header of no multiple of eight bytes", one, canonical=False)
    v.valid("padded-header.safetensors",
            file_of(json.dumps({"a": entry()}).encode() + b" \n\t" * 30, some(4)),
            "spaces in and after the header", one, canonical=False)
    v.valid("unordered-header.safetensors",
            file_of({"b": entry("U8", [2], (4, 6)), "__metadata__": {"k": "v"}, "e": entry(
                "F32", [0], (4, 4)), "a": entry()}, some(6)),
            "the header's order is not that of the data",
            [("a", "F32", [1], some(4)), ("e", "F32", [0], b""), ("b", "U8", [2], some(6)[4:])],
            {"k": "v"}, canonical=False)
    v.valid("misaligned.safetensors",
            file_of({"b": entry("U8", [1], (0, 1)), "a": entry("F32", [1], (1, 5))}, some(5)),
            "a four-byte type at an odd place", [("b", "U8", [1], some(1)), (
                "a", "F32", [1], some(5)[1:])], canonical=False)
    v.valid("extra-member.safetensors", file_of({"a": dict(entry(), note="x")}, some(4)),
            "a member that nobody knows is passed over", one, canonical=False)
    v.valid("null-metadata.safetensors", file_of({"__metadata__": None, "a": entry()}, some(4)),
            "null for no metadata", one, canonical=False)
    first, second = [("b", "F32", [1], some(4))], [("a", "F16", [2], some(4, 9))]
    shards = {
        "model-00001-of-00002.safetensors": official(first, {"format": "pt"}),
        "model-00002-of-00002.safetensors": official(second, {"format": "pt"}),
    }
    map = {"a": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}

    def index(map):
        text = {"metadata": {"total_size": 8}, "weight_map": map}
        return {"model.safetensors.index.json": json.dumps(text).encode()}

    v.valid("sharded", shards | index(map), "two shards and their index", first + second,
            {"format": "pt"}, canonical=False)

    v.invalid("empty-file.safetensors", b"", "truncated", "header size", 0, "no byte at all")
    v.invalid("short-size.safetensors", bytes(7), "truncated", "header size", 0, "seven bytes")
    v.invalid("no-header.safetensors", bytes(8), "malformed", "header", 8, "a header of no bytes")
    v.invalid("size-too-large.safetensors", file_of({}, size=100_000_001), "limitExceeded",
              "header size", 0, "one byte more than the limit")
    v.invalid("size-extreme.safetensors", file_of({}, size=2**64 - 1), "limitExceeded",
              "header size", 0, "the largest number")
    v.invalid("header-cut.safetensors", file_of({"a": entry()}, size=1000), "truncated", "header",
              8, "a header longer than the file")
    v.invalid("not-an-object.safetensors", file_of([1]), "malformed", "header", 8, "a JSON array")
    v.invalid("space-before.safetensors", file_of(b" {}"), "malformed", "header", 8,
              "a space before '{'")
    v.invalid("not-json.safetensors", file_of(b"{\"a\""), "truncated", "header", 12,
              "JSON that stops")
    v.invalid("not-utf8.safetensors", file_of(b"{\"a\xff\":1}"), "malformed", "header", 9,
              "a name that is not UTF-8")
    v.invalid("trailing-text.safetensors", file_of(b"{}x"), "malformed", "header", 10,
              "text after the object")
    v.invalid("deep.safetensors", file_of(b"{\"a\":" + b"[" * 1000), "limitExceeded", "header",
              8 + 5 + 127, "a thousand arrays inside each other")
    twice = json.dumps(entry(), separators=(",", ":"))
    v.invalid("duplicate-tensor.safetensors",
              file_of(f'{{"a":{twice},"a":{twice}}}'.encode(), some(4)), "duplicateName", "header",
              8 + 1 + 4 + len(twice) + 1, "one name twice")
    v.invalid("duplicate-member.safetensors",
              file_of(b'{"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}',
                      some(4)), "duplicateName", "header", 28, "one member twice")
    metadata = "__metadata__"
    v.invalid("metadata-number.safetensors", file_of({metadata: {"k": 1}}), "malformed", metadata,
              25, "metadata that are not strings")
    v.invalid("metadata-list.safetensors", file_of({metadata: []}), "malformed", metadata, 9,
              "metadata that are no object")
    a = "tensor 'a'"
    for name, value, code, about in [
        ("entry-number", 1, "malformed", "a tensor that is no object"),
        ("no-dtype", {"shape": [1], "data_offsets": [0, 4]}, "missing", "no dtype"),
        ("no-shape", {"dtype": "F32", "data_offsets": [0, 4]}, "missing", "no shape"),
        ("no-offsets", {"dtype": "F32", "shape": [1]}, "missing", "no data_offsets"),
        ("dtype-number", entry(dtype=3), "malformed", "a dtype that is no string"),
        ("dtype-f4", entry(dtype="F4", shape=[8]), "unsupportedVersion",
         "a type of the format that is not supported"),
        ("dtype-unknown", entry(dtype="f32"), "unsupportedVersion", "a type that nobody knows"),
        ("shape-string", entry(shape="1"), "malformed", "a shape that is no array"),
        ("shape-negative", entry(shape=[-1]), "malformed", "a negative dimension"),
        ("shape-fraction", entry(shape=[1.0]), "malformed", "a dimension with a fraction"),
        ("shape-huge", entry(shape=[2**64]), "malformed", "a dimension of 65 bits"),
        ("shape-overflow", entry(shape=[2**32, 2**32]), "limitExceeded",
         "a shape whose product overflows"),
        ("shape-overflow-behind-zero", entry(shape=[2**32, 2**32, 0], offsets=[0, 0]),
         "limitExceeded", "an overflow that a zero hides"),
        ("empty-but-long", entry(shape=[2**40, 0], offsets=[0, 0]), "limitExceeded",
         "2^40 rows without columns"),
        ("bytes-overflow", entry(shape=[2**62]), "limitExceeded", "a size that overflows"),
        ("offsets-three", entry(offsets=[0, 4, 4]), "malformed", "three offsets"),
        ("offsets-negative", entry(offsets=[-4, 0]), "malformed", "a negative offset"),
        ("offsets-reversed", entry(shape=[0], offsets=[0, -0]) | {"data_offsets": [4, 0]},
         "inconsistent", "offsets in the wrong order"),
        ("offsets-extreme", entry(offsets=[0, 2**63 - 1]), "inconsistent",
         "the largest offset that fits"),
        ("offsets-too-wide", entry(shape=[1], offsets=[0, 8]), "inconsistent",
         "more bytes than the shape needs"),
        ("gap-first", entry(offsets=[4, 8]), "inconsistent", "a gap before the first tensor"),
    ]:
        v.invalid(f"{name}.safetensors", file_of({"a": value}, some(4)), code, a, 9, about)
    b = "tensor 'b'"
    at = 9 + len(json.dumps({"a": entry()}, separators=(",", ":"))) - 1
    v.invalid("overlap.safetensors", file_of({"a": entry(), "b": entry(offsets=[0, 4])}, some(4)),
              "inconsistent", b, at, "two tensors in one place")
    v.invalid("partial-overlap.safetensors",
              file_of({"a": entry(), "b": entry(offsets=[2, 6])}, some(6)), "inconsistent", b, at,
              "two tensors that share two bytes")
    v.invalid("gap.safetensors", file_of({"a": entry(), "b": entry(offsets=[8, 12])}, some(12)),
              "inconsistent", b, at, "four bytes between two tensors")
    whole = file_of({"a": entry()}, some(4))
    v.invalid("data-cut.safetensors", whole[:-1], "truncated", a, len(whole) - 4, "one byte short")
    v.invalid("data-left.safetensors", whole + b"PK", "inconsistent", "tensor data", len(whole),
              "bytes after the last tensor")

    ix = "model.safetensors.index.json"
    shard1, shard2 = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    v.invalid("shard-missing", {shard1: shards[shard1]} | index(map), "missing",
              f"shard '{shard2}'", 0, "the index names a shard that is not there")
    v.invalid("shard-lacks-tensor", shards | index(map | {"c": shard1}), "missing", "tensor 'c'", 0,
              "the index has a tensor that the shard lacks")
    v.invalid("shard-extra-tensor", shards | index({"b": shard1}) | {
        shard1: official(first + second, None)}, "inconsistent", a, len(official(
            first + second, None)) - 4, "the shard holds a tensor that the index does not have",
        open="shard-extra-tensor")
    v.invalid("shard-wrong-place", shards | index({"a": shard1, "b": shard2}), "inconsistent",
              b, len(shards[shard1]) - 4, "the index has two tensors in each other's place")
    v.invalid("shard-duplicate", {shard1: shards[shard1], shard2: shards[shard1]} | index(map),
              "duplicateName", b, len(shards[shard1]) - 4, "one tensor in two shards")
    v.invalid("shard-outside", index({"a": "../valid/empty.safetensors"}), "malformed",
              "weight_map", 0, "an index that leads out of its folder")
    v.invalid("index-without-map", {ix: b"{}"}, "missing", "index", 0, "no weight_map")
    v.invalid("index-map-list", {ix: b'{"weight_map":[]}'}, "malformed", "weight_map", 0,
              "a weight_map that is no object")
    v.invalid("index-missing", shards, "missing", ix, 0, "two shards and no index")
    v.invalid("index-missing-for-shard", {shard1: shards[shard1]}, "missing", ix, 0,
              "one shard and no index", open=f"index-missing-for-shard/{shard1}")
    v.finish()


# ---- GGUF --------------------------------------------------------------------------------------

TYPES = {t.name: t.value for t in gguf.GGUFValueType}
PACKED = {"UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "UINT32": "I", "INT32": "i",
          "UINT64": "Q", "INT64": "q", "FLOAT32": "f", "FLOAT64": "d", "BOOL": "B"}


def string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


def value(kind, content):
    if kind == "STRING":
        return string(content)
    if kind == "ARRAY":
        inner, elements = content
        return struct.pack("<IQ", TYPES[inner], len(elements)) + b"".join(
            value(inner, e) for e in elements)
    return struct.pack("<" + PACKED[kind], content)


def pair(key, kind, content):
    return string(key) + struct.pack("<I", TYPES[kind]) + value(kind, content)


def info(name, dimensions, type=0, offset=0):
    """dimensions: as the file has them, innermost first."""
    return string(name) + struct.pack(
        f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, type, offset)


def padded(content, alignment=32):
    return content + bytes(-len(content) % alignment)


def gguf_of(pairs=(), infos=(), data=b"", version=3, alignment=32, magic=b"GGUF", counts=None):
    tensor_count, pair_count = counts or (len(infos), len(pairs))
    start = magic + struct.pack("<IQQ", version, tensor_count, pair_count)
    head = start + b"".join(pairs) + b"".join(infos)
    return (padded(head, alignment) if infos else head) + data


def stated(kind, content):
    """A value as expected.json has it: 64-bit integers as text, bytes as {"hex": …}."""
    if kind == "ARRAY":
        inner, elements = content
        return {"type": "ARRAY", "of": inner, "value": [stated(inner, e)["value"] if inner != "ARRAY"
                                                        else stated(inner, e) for e in elements]}
    if kind in ("UINT64", "INT64"):
        content = str(content)
    if kind == "BOOL":
        content = bool(content)
    if isinstance(content, bytes):
        content = {"hex": content.hex()}
    return {"type": kind, "value": content}


def make_gguf():
    v = Vectors("GGUF")
    scratch = os.path.join(v.folder, "scratch.gguf")
    os.makedirs(v.folder, exist_ok=True)

    def official(pairs, tensors, alignment=None):
        writer = gguf.GGUFWriter(scratch, "llama")
        if alignment:
            writer.add_custom_alignment(alignment)
        for key, kind, content in pairs:
            if kind == "ARRAY":
                inner, elements = content
                writer.add_key_value(key, elements, gguf.GGUFValueType.ARRAY,
                                     gguf.GGUFValueType[inner])
            else:
                writer.add_key_value(key, content, gguf.GGUFValueType[kind])
        for name, encoding, shape, data in tensors:
            array = numpy.frombuffer(data, dtype=numpy.uint8)
            type = gguf.GGMLQuantizationType[encoding]
            weights, size = (1, 2) if encoding == "BF16" else gguf.GGML_QUANT_SIZES[type]
            rows = list(shape[:-1]) + [shape[-1] // weights * size]
            writer.add_tensor(name, array.reshape(rows), raw_dtype=type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with open(scratch, "rb") as file:
            content = file.read()
        os.remove(scratch)
        return content

    arch = ("general.architecture", "STRING", "llama")
    arch_pair = pair(*arch)

    def said(pairs, alignment=None):
        first = [arch] + ([("general.alignment", "UINT32", alignment)] if alignment else [])
        return {key: stated(kind, content) for key, kind, content in first + list(pairs)}

    scalars = [
        ("k.uint8", "UINT8", 255), ("k.int8", "INT8", -128), ("k.uint16", "UINT16", 65535),
        ("k.int16", "INT16", -32768), ("k.uint32", "UINT32", 2**32 - 1),
        ("k.int32", "INT32", -2**31), ("k.float32", "FLOAT32", 0.15625), ("k.bool", "BOOL", True),
        ("k.string", "STRING", "h\u00e9llo \u2603"), ("k.uint64", "UINT64", 2**64 - 1),
        ("k.int64", "INT64", -2**63), ("k.float64", "FLOAT64", -1.0e300)]
    v.valid("every-value.gguf", official(scalars, []), "every type of value; the gguf package",
            metadata=said(scalars), canonical=False)
    arrays = [("a." + kind.lower(), "ARRAY", (kind, [content, content]))
              for _, kind, content in scalars if kind != "STRING"]
    arrays += [("a.string", "ARRAY", ("STRING", ["a", "\u00e4\u0000", "b"]))]
    v.valid("every-array.gguf", official(arrays, []), "arrays of every type; the gguf package",
            metadata=said(arrays), canonical=False)

    def blocks(names, rows=1):
        tensors = []
        for i, name in enumerate(names):
            weights, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
            size = 36 if name == "Q8_1" else size  # the package says 40; ggml.h says 36
            tensors.append((f"t.{name.lower()}", name, [rows, weights], some(rows * size, i)))
        return tensors

    plain = [t.name for t in gguf.GGMLQuantizationType if gguf.GGML_QUANT_SIZES.get(t, (0, 0))[0] == 1]
    large = [t.name for t in gguf.GGMLQuantizationType if gguf.GGML_QUANT_SIZES.get(t, (0, 0))[0] == 256]
    small = [t.name for t in gguf.GGMLQuantizationType if t.name != "Q8_1"
             and 1 < gguf.GGML_QUANT_SIZES.get(t, (0, 0))[0] < 256]
    for name, group in [("scalars", plain), ("small-blocks", small), ("large-blocks", large)]:
        tensors = blocks(group, 2 if group is small else 1)
        v.valid(f"{name}.gguf", official([], tensors), "tensors of these types; the gguf package",
                tensors, said([]))
    cube = [("cube", "F16", [2, 3, 4], some(48)), ("x", "F32", [3], some(12)),
            ("four", "I8", [1, 2, 1, 3], some(6))]
    v.valid("shapes.gguf", official([], cube), "1, 3 and 4 dimensions; the gguf package", cube, said([]))
    v.valid("alignment-64.gguf", official([], cube, 64), "another alignment; the gguf package", cube,
            said([], 64))
    one = [("x", "F32", [2], some(8))]
    x = info("x", [2])
    v.valid("version-2.gguf", gguf_of([arch_pair], [x], padded(some(8)), version=2),
            "version 2", one, said([]), canonical=False)
    v.valid("no-final-padding.gguf", gguf_of([arch_pair], [x], some(8)),
            "the file ends with the last tensor's last byte", one, said([]), canonical=False)
    v.valid("padding-not-zero.gguf", gguf_of([arch_pair], [x], some(32)),
            "padding is not looked at", one, said([]), canonical=False)
    v.valid("no-tensors-padded.gguf", padded(gguf_of([arch_pair])),
            "no tensors, padded up to where they would be", [], said([]), canonical=False)
    v.valid("nothing.gguf", gguf_of(), "neither keys nor tensors")
    odd = [("scalar", "F64", [], some(8)), ("none", "Q4_0", [0, 32], b""),
           ("q8_1", "Q8_1", [1, 32], some(36)), ("q2_0", "Q2_0", [64], some(18)),
           ("n" * 63, "F16", [1], some(2)), ("none-at-end", "F32", [3, 0], b"")]
    ends = [0, 32, 32, 96, 128, 160]
    dims = [[], [32, 0], [32, 1], [64], [1], [0, 3]]
    ids = [28, 2, 9, 42, 1, 0]
    infos = [info(t[0], d, i, o) for t, d, i, o in zip(odd, dims, ids, ends)]
    v.valid("odd-shapes.gguf", gguf_of([arch_pair], infos, b"".join(padded(t[3]) for t in odd)),
            "a scalar, tensors without rows or columns, a name of 63 bytes, types the package lacks",
            odd, said([]))
    strange = [("s.bytes", "STRING", b"\xff\x00\xc3"), ("s.list", "ARRAY", ("STRING", [b"a", b"\xc3", b""])),
               ("empty", "ARRAY", ("INT32", [])),
               ("n", "ARRAY", ("ARRAY", [("INT32", [1, 2]), ("STRING", ["x"]), ("ARRAY", [("BOOL", [1])])]))]
    v.valid("strange-values.gguf", gguf_of([arch_pair] + [pair(*p) for p in strange]),
            "strings that are not UTF-8, arrays of arrays", metadata=said(
                [("s.bytes", "STRING", b"\xff\x00\xc3"),
                 ("s.list", "ARRAY", ("STRING", [b"a", b"\xc3", b""])), strange[2], strange[3]]))
    many = [("a", "F32", [2], some(8)), ("b", "F16", [1], some(2)), ("c", "F32", [1], some(4, 5))]

    def part(number, names, count=2, total=3, keys=("split.no", "split.count", "split.tensors.count")):
        mine = [t for t in many if t[0] in names]
        pairs = [arch_pair] if number == 0 else []
        pairs += [pair(k, kind, n) for k, kind, n in zip(
            ("split.no", "split.count", "split.tensors.count"), ("UINT16", "UINT16", "INT32"),
            (number, count, total)) if k in keys]
        ids = {"F32": 0, "F16": 1}
        infos = [info(t[0], t[2], ids[t[1]], 32 * i) for i, t in enumerate(mine)]
        return gguf_of(pairs, infos, b"".join(padded(t[3]) for t in mine))

    p1, p2 = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
    split = {p1: part(0, "ab"), p2: part(1, "c")}
    for name in (p1, p2):
        v.valid("split", split, "two parts, opened by this one", many, said([]), canonical=False,
                open=f"split/{name}")

    # Faults of the start of the file.
    v.invalid("empty-file.gguf", b"", "truncated", "magic", 0, "no byte at all")
    v.invalid("magic.gguf", gguf_of(magic=b"GGML"), "malformed", "magic", 0, "another magic")
    v.invalid("version-1.gguf", gguf_of(version=1), "unsupportedVersion", "version", 4, "version 1")
    v.invalid("version-4.gguf", gguf_of(version=4), "unsupportedVersion", "version", 4, "version 4")
    v.invalid("big-endian.gguf", gguf_of(version=3 << 24), "unsupportedVersion", "version", 4,
              "version 3 of the other byte order")
    v.invalid("start-cut.gguf", gguf_of()[:20], "truncated", "key-value count", 16,
              "the file ends in the counts")
    v.invalid("tensor-count.gguf", gguf_of([arch_pair], counts=(2**60, 1)), "limitExceeded",
              "tensor count", 16, "2^60 tensors in 60 bytes")
    v.invalid("pair-count.gguf", gguf_of([arch_pair], counts=(0, 2**64 - 1)), "limitExceeded",
              "key-value count", 24, "2^64 - 1 keys in 60 bytes")
    v.invalid("pair-missing.gguf", gguf_of([arch_pair], counts=(0, 2)), "truncated", "key 1",
              24 + len(arch_pair), "one key fewer than announced")

    # Faults of keys and values.
    key1 = 24 + len(arch_pair)
    v.invalid("key-length.gguf", gguf_of([struct.pack("<Q", 2**63) + bytes(20)]), "limitExceeded",
              "key 0", 32, "a key of 2^63 bytes")
    v.invalid("key-empty.gguf", gguf_of([pair("", "UINT32", 1)]), "malformed", "key 0", 24,
              "a key without a letter")
    v.invalid("key-not-utf8.gguf", gguf_of([pair(b"\xff", "UINT32", 1)]), "malformed", "key 0", 24,
              "a key that is not UTF-8")
    v.invalid("key-twice.gguf", gguf_of([arch_pair, arch_pair]), "duplicateName",
              "'general.architecture'", key1, "one key twice")
    v.invalid("value-type.gguf", gguf_of([string("k") + struct.pack("<IQ", 13, 0)]),
              "unsupportedVersion", "'k'", 33, "value type 13")
    v.invalid("value-cut.gguf", gguf_of([pair("k", "UINT64", 1)])[:-1], "truncated", "'k'", 37,
              "the file ends in a number")
    v.invalid("bool-2.gguf", gguf_of([pair("k", "BOOL", 2)]), "malformed", "'k'", 37,
              "a bool that is 2")
    v.invalid("string-length.gguf", gguf_of([string("k") + struct.pack("<IQ", 8, 2**62)]),
              "limitExceeded", "'k'", 45, "a string of 2^62 bytes")
    v.invalid("array-count-beyond-file.gguf",
              gguf_of([string("k") + struct.pack("<IIQ", 9, 8, 2**60)]), "limitExceeded", "'k'", 49,
              "2^60 strings in no bytes")
    v.invalid("array-count-one-more.gguf",
              gguf_of([string("k") + struct.pack("<IIQ", 9, 4, 3) + bytes(8)]), "limitExceeded",
              "'k'", 49, "three numbers, room for two")
    v.invalid("array-type.gguf", gguf_of([string("k") + struct.pack("<IIQ", 9, 99, 0)]),
              "unsupportedVersion", "'k'", 37, "an array of type 99")
    v.invalid("array-strings-cut.gguf",
              gguf_of([string("k") + struct.pack("<IIQQ", 9, 8, 1, 5) + b"abc"]), "limitExceeded",
              "'k'", 57, "a string in an array that runs past the end")
    deep = [1, 2]
    kind = "INT32"
    for _ in range(9):
        kind, deep = "ARRAY", (kind, [deep] if kind == "ARRAY" else deep)
    v.invalid("array-depth.gguf", gguf_of([pair("k", "ARRAY", deep)]), "limitExceeded", "'k'",
              37 + 8 * 12, "arrays nine deep")

    # Faults of the alignment. The byte is where the keys end.
    for name, p in [("string", pair("general.alignment", "STRING", "32")),
                    ("zero", pair("general.alignment", "UINT32", 0)),
                    ("48", pair("general.alignment", "UINT32", 48)),
                    ("64-bit", pair("general.alignment", "UINT64", 32))]:
        v.invalid(f"alignment-{name}.gguf", gguf_of([p], [x], padded(some(8))), "misaligned",
                  "'general.alignment'", 24 + len(p), "an alignment that is none")
    v.invalid("alignment-extreme.gguf",
              gguf_of([pair("general.alignment", "UINT32", 2**31)], [x], padded(some(8))),
              "truncated", "tensor 'x'", 2**31, "an alignment of 2 GiB in a small file")

    # Faults of tensor entries. One pair precedes them.
    start = key1
    t0, tx = "tensor 0", "tensor 'x'"

    def bad(name, infos, code, subject, offset, about, data=padded(some(8))):
        v.invalid(name, gguf_of([arch_pair], infos, data), code, subject, offset, about)

    bad("name-64-bytes.gguf", [info("n" * 64, [2])], "limitExceeded", t0, start,
        "a name of 64 bytes, which GGML cannot hold")
    bad("name-length.gguf", [struct.pack("<Q", 2**64 - 1) + bytes(24)], "limitExceeded", t0,
        start + 8, "a name of 2^64 - 1 bytes")
    bad("name-not-utf8.gguf", [info(b"\xff", [2])], "malformed", t0, start,
        "a name that is not UTF-8")
    bad("name-twice.gguf", [x, info("x", [2], 0, 32)], "duplicateName", tx, start + len(x),
        "one name twice", padded(some(8)) * 2)
    bad("dimensions-5.gguf", [info("x", [1] * 5)], "limitExceeded", tx, start + 9, "five dimensions")
    bad("dimensions-extreme.gguf", [string("x") + struct.pack("<I", 2**32 - 1) + bytes(40)],
        "limitExceeded", tx, start + 9, "2^32 - 1 dimensions")
    bad("dimension-2-63.gguf", [info("x", [2**63])], "limitExceeded", tx, start + 13,
        "a dimension that is negative to llama.cpp")
    bad("shape-overflow.gguf", [info("x", [2**32, 2**32])], "limitExceeded", tx,
        start + 9 + 4 + 16 + 4, "a shape whose product overflows")
    bad("shape-overflow-behind-zero.gguf", [info("x", [0, 2**32, 2**32])], "limitExceeded", tx,
        start + 9 + 4 + 24 + 4, "an overflow that a zero hides")
    bad("empty-but-long.gguf", [info("x", [0, 2**40])], "limitExceeded", tx,
        start + 9 + 4 + 16 + 4, "2^40 rows without columns")
    bad("type-withdrawn.gguf", [info("x", [32], 4)], "unsupportedVersion", tx, start + 21,
        "type 4, once Q4_2")
    bad("type-unknown.gguf", [info("x", [32], 1000)], "unsupportedVersion", tx, start + 21,
        "type 1000")
    bad("row-not-whole-blocks.gguf", [info("x", [48], 2)], "inconsistent", tx, start + 25,
        "a row of one and a half blocks")
    bad("offset-misaligned.gguf", [info("x", [2], 0, 8)], "misaligned", tx, start + 25,
        "an offset that is no multiple of the alignment")
    bad("offset-gap.gguf", [info("x", [2], 0, 32)], "inconsistent", tx, start + 25,
        "32 bytes before the first tensor", some(64))
    bad("offset-overlap.gguf", [x, info("y", [2], 0, 0)], "inconsistent", "tensor 'y'",
        start + len(x) + 25, "two tensors in one place", some(64))
    bad("offset-extreme.gguf", [info("x", [2], 0, 2**64 - 32)], "inconsistent", tx, start + 25,
        "an offset at the end of all numbers")
    bad("data-cut.gguf", [x], "truncated", tx, len(padded(bytes(start + len(x)))),
        "one byte short", some(7))
    bad("data-absent.gguf", [info("x", [2**40], 0, 0)], "truncated", tx,
        len(padded(bytes(start + len(x)))), "4 TiB in a small file")
    bad("data-left.gguf", [x], "inconsistent", "tensor data",
        len(padded(bytes(start + len(x)))) + 32, "bytes behind the last tensor's padding", some(40))
    v.invalid("entries-cut.gguf", gguf_of([arch_pair], [x, x])[: start + 40], "truncated",
              "tensor 1", start + 25 + 8, "the file ends in an entry")

    # Faults of split files.
    v.invalid("split-part-missing", {p1: split[p1]}, "missing", f"part '{p2}'", 0,
              "the second part is not there", open=f"split-part-missing/{p1}")
    v.invalid("split-renamed", {"m.gguf": split[p1]}, "inconsistent", "'split.count'", 0,
              "a part under another name", open="split-renamed/m.gguf")
    v.invalid("split-wrong-number", {p1: split[p1], p2: part(0, "c")}, "inconsistent",
              "'split.no'", 0, "a part under the other's name", open=f"split-wrong-number/{p1}")
    v.invalid("split-no-number", {p1: split[p1], p2: part(1, "c", keys=("split.count",))},
              "missing", "'split.no'", 0, "a part that does not say which",
              open=f"split-no-number/{p1}")
    v.invalid("split-wrong-count", {p1: split[p1], p2: part(1, "c", 3)}, "inconsistent",
              "'split.count'", 0, "a part of another model", open=f"split-wrong-count/{p1}")
    v.invalid("split-wrong-total", {p1: part(0, "ab", total=4), p2: split[p2]}, "inconsistent",
              "'split.tensors.count'", 0, "one tensor fewer than announced",
              open=f"split-wrong-total/{p1}")
    v.invalid("split-duplicate", {p1: split[p1], p2: part(1, "b")}, "duplicateName", "tensor 'b'",
              len(part(1, "b")) - 32, "one tensor in two parts", open=f"split-duplicate/{p1}")
    v.finish()


# ---- DTZ ---------------------------------------------------------------------------------------


BF16, F16, F32, U8 = (0, "BF16"), (0, "F16"), (0, "F32"), (0, "U8")
Q4_0, Q8_0 = (1, "Q4_0"), (1, "Q8_0")


def make_dtz():
    v = Vectors("DTZ")

    def stated(tensors):
        return [(t.name, t.encoding[1], t.shape, t.data) for t in tensors]

    def good(name, about, tensors, **more):
        v.valid(name, dtz(tensors, **more), about, stated(tensors), canonical=False)

    pairs = Tensor("w", BF16, [2, 3], some(12), transforms=(0,))
    good("bf16.dtz", "one tensor in planes", [pairs], transforms=(PAIRS,))
    floats = struct.pack("<7H", 0x3F80, 0xBE11, 0x3C00, 0x0000, 0x7F80, 0x3EFF, 0xB89A)
    good("pairs.dtz", "exponents in pairs: an odd number, some without a code, bytes behind",
         [Tensor("w", BF16, [7], floats), Tensor("f", F32, [3], some(12, 200), transforms=(1,)),
          Tensor("odd", U8, [5], some(5), transforms=(0,)),
          Tensor("one", U8, [1], some(1), transforms=(1,))],
         transforms=(CODES, QUAD_CODES))
    halves = [7 * (i % 7) - 9 for i in range(32)] + [99 * i for i in range(32)]
    halves += [(-1) ** i * (1 << i % 15) for i in range(32)] + [5] * 32 + [1, 2, 3]
    wide = b"".join(struct.pack("<i", (i * i % 16 - 8) << 27 | 5) for i in range(64))
    blocks = b"".join(struct.pack("<e32b", 0.5 + n, *(9 * (i % k) - 60 for i in range(32)))
                      for n, k in enumerate([13, 16, 17]))
    good("palettes.dtz", "groups of few values: a group with many, bytes behind, fewer than a group",
         [Tensor("w", F16, [131], struct.pack("<131h", *halves)),
          Tensor("f", F32, [64], wide, transforms=(1,)),
          Tensor("q", Q8_0, [3, 32], blocks, transforms=(2,)),
          Tensor("odd", U8, [5], some(5), transforms=(0,))],
         transforms=(PALETTES, WIDE_PALETTES, CODE_PALETTES))
    good("empty.dtz", "no tensors", [])
    good("shapes.dtz", "a scalar, no elements, six dimensions, bytes that are no whole record",
         [Tensor("scalar", U8, [], some(1)), Tensor("none", BF16, [0, 5], b""),
          Tensor("row", BF16, [1, 1, 1, 1, 1, 2], some(4), transforms=(1,)),
          Tensor("rest", U8, [7], some(7), transforms=(2,))],
         transforms=(NONE, PAIRS, (0, [2, 1])))
    good("chunks.dtz", "chunks of 16 bytes, a transform for each, the last one shorter",
         [Tensor("a", F32, [3, 3], some(36), chunk=16, transforms=(0, 1, 0)),
          Tensor("b", F32, [4], some(16, 3), chunk=16, transforms=(1,))],
         transforms=(NONE, QUADS), capacity=19)
    good("blocks.dtz", "blocks larger than a chunk may be, scales apart from codes",
         [Tensor("q", Q4_0, [2, 32], some(36), chunk=18, transforms=(0,))],
         transforms=((0, [1, 1, 16]),), capacity=10)
    good("names.dtz", "a name of no bytes, names that differ in composition alone",
         [Tensor("", U8, [1], some(1)), Tensor("\u00e9", U8, [1], some(1)),
          Tensor("e\u0301", U8, [1], some(1))])
    grouped = (2, "F16", struct.pack("<BBBI", 4, 0, 1, 8))
    groups = Tensor("g", grouped, [1, 8], some(7))
    groups.encoding = (2, "F16", grouped[2])
    v.valid("groups.dtz", dtz([groups], transforms=((0, [1, 1, 1, 4]),)), "codes in groups",
            [("g", "INT4 g8 zero-point", [1, 8], some(7))], canonical=False)
    document = (1, "config.json", b'{"model_type": "llama"}')
    keys = struct.pack("<Q", 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 8, 0, 0)[:4]
    keys += struct.pack("<Q", 1) + b"v"
    x = Tensor("x", U8, [4], some(4))
    y = Tensor("y", U8, [2], some(2))
    none = Tensor("none", U8, [0], b"")
    kept = (2, "model.safetensors", original(11, [(1, 1), (0, 5)], b"HGGTT"))
    v.valid("sections.dtz", dtz([x, y], [(0, "", keys), document, kept], dialect=1),
            "metadata, a document, an original file", stated([x, y]), canonical=False,
            metadata={"k": "v"})
    good("unused.dtz", "transforms that no chunk has", [x], transforms=(NONE, QUADS))

    def bad(name, content, code, subject, offset, about):
        v.invalid(name, content, code, subject, offset, about)

    whole = dtz([pairs], transforms=(PAIRS,))

    def put(at, value, file=whole):
        return file[:at] + value + file[at + len(value):]

    end = len(whole)
    bad("not-dtz.dtz", put(8, b"XTZ"), "malformed", "header", 12, "another word in the header")
    bad("version.dtz", dtz([x], version=2), "unsupportedVersion", "header", 12, "version 2")
    bad("flags.dtz", dtz([x], flags=1), "unsupportedVersion", "header", 16, "an unknown flag")
    bad("header-size.dtz", put(4, b"\x21"), "malformed", "header", 8, "a header of 33 bytes")
    bad("header-cut.dtz", whole[:30], "truncated", "header: directory", 24, "the header ends early")
    bad("directory-beyond.dtz", put(16, struct.pack("<Q", 1 << 40)), "truncated",
        "header: directory", 24, "a directory of a terabyte")
    bad("directory-bomb.dtz", dtz([x], claims=1 << 40), "limitExceeded", "header: directory", 32,
        "a directory that decodes to a terabyte")
    bad("directory-size.dtz", dtz([x], claims=1 << 27), "inconsistent", "directory", 40,
        "a directory that decodes to less than it claims")
    bad("directory-damaged.dtz", put(60, b"\xff"), "inconsistent", "directory", 40,
        "a byte of the directory is another")
    bad("footer-missing.dtz", whole[:-48], "malformed", "footer", end - 48 - 48 + 4,
        "the footer is cut off")
    bad("cut-in-footer.dtz", whole[:-1], "malformed", "footer", end - 49 + 4,
        "the last byte is missing")
    bad("index-elsewhere.dtz", dtz([x], footer_offset=41), "inconsistent", "footer",
        len(dtz([x])) - 0, "the index does not end at the footer")
    bad("index-short.dtz", dtz([x], index=lambda b: b[:-1]), "truncated", "index: tensor 'x'",
        64, "an index that ends in a chunk")
    bad("index-long.dtz", dtz([x], index=lambda b: b + b"\0"), "inconsistent",
        "index: tensor 'x'", 76, "a byte behind the last chunk")
    bad("chunks-short.dtz", dtz([x], index=lambda b: b[:64] + struct.pack("<I", 3) + b[68:]),
        "inconsistent", "index", 114, "chunks that end before the index")
    bad("chunks-beyond.dtz", dtz([x], index=lambda b: b[:64] + b"\xff" * 4 + b[68:]),
        "truncated", "tensor 'x'", 111, "a chunk of four gigabytes")
    bad("chunk-size.dtz", dtz([x], capacity=0), "limitExceeded", "directory: chunk size", 4,
        "chunks of no bytes")
    bad("dialect.dtz", dtz([x], dialect=2), "malformed", "directory: dialect", 5,
        "an unknown dialect")
    bad("name-twice.dtz", dtz([x, x]), "duplicateName", "directory: tensor 1", 73, "two tensors x")
    bad("name-not-utf8.dtz", dtz([x], directory=lambda b: b.replace(b"x", b"\xff")), "malformed",
        "directory: tensor 0", 42, "a name that is not UTF-8")
    bad("encoding-unknown.dtz", dtz([Tensor("x", (1, "Q4_9"), [32], b"")]), "unsupportedVersion",
        "directory: tensor 0", 48, "an encoding that nobody knows")
    bad("groups-of-none.dtz",
        dtz([Tensor("x", (2, "F16", struct.pack("<BBBI", 4, 0, 1, 0)), [8], b"")]),
        "inconsistent", "directory: tensor 0", 54, "groups of no columns")
    bad("shape-overflow.dtz", dtz([Tensor("x", U8, [1 << 62, 4], b"")]), "limitExceeded",
        "directory: tensor 0", 63, "more bytes than can be counted")
    bad("shape-row.dtz", dtz([Tensor("x", Q4_0, [33], b"")]), "limitExceeded",
        "directory: tensor 0", 57, "a row that is no whole blocks")
    bad("shape-huge.dtz", dtz([Tensor("x", U8, [1 << 60], b"")]), "truncated",
        "index: tensor 'x'", 64, "an exabyte, without chunks")
    bad("tensors-beyond.dtz",
        dtz([], directory=lambda b: b[:-8] + struct.pack("<Q", 1 << 60)), "limitExceeded",
        "directory: tensor count", 37, "more tensors than bytes")
    for name, transform, code, offset, about in [
            ("transform-none", (0, []), "inconsistent", 25, "a record of no bytes"),
            ("transform-zero", (0, [1, 0]), "inconsistent", 33, "a field of no bytes"),
            ("transform-large", (0, [1 << 26, 1]), "inconsistent", 33, "a record above the limit"),
            ("transform-sign", (1, [1, 1, 1]), "inconsistent", 37, "a sign in three bytes"),
            ("transform-delta", (2, [1]), "inconsistent", 29, "a delta, and no base"),
            ("transform-pairs", (4, [1, 1]), "inconsistent", 33, "pairs without a sign"),
            ("transform-pairs-of-eight", (5, [1] * 8), "inconsistent", 57, "eight in a pair"),
            ("transform-palettes", (8, [1, 48]), "inconsistent", 33, "a group and a half"),
            ("transform-palettes-of-eight", (8 | 3 << 4, [256]), "inconsistent", 29, "eight bytes"),
            ("transform-palettes-turned", (9, [1, 32]), "inconsistent", 33, "palettes and a sign"),
            ("transform-flags-high", (72, [32]), "unsupportedVersion", 23, "an unknown flag"),
            ("transform-flags", (16, [1]), "unsupportedVersion", 23, "an unknown flag")]:
        bad(f"{name}.dtz", dtz([none], transforms=(transform,)), code, "directory: transforms",
            offset, about)
    bad("section-kind.dtz", dtz([x], [(9, "a", b"")]), "unsupportedVersion",
        "directory: section 0", 15, "an unknown kind of section")
    for name, text in [("up", ".."), ("path", "a/b"), ("none", ""), ("zero", "a\0b")]:
        bad(f"document-{name}.dtz", dtz([x], [(1, text, b"")]), "malformed",
            "directory: section 0", 35 + len(text), "a document whose name leads elsewhere")
    bad("document-twice.dtz", dtz([x], [document, document]), "duplicateName",
        "directory: section 1", 86, "two documents of one name")
    big = struct.pack("<Q", 1 << 40)
    size = struct.pack("<Q", 23)
    bad("section-bomb.dtz", dtz([x], [document], directory=lambda b: b.replace(size, big, 1)),
        "limitExceeded", "directory: section 0", 38, "a document of a terabyte")
    for name, section, offset, about in [
            ("outside", original(11, [(1, 1), (0, 8)], b"HGGTT"), 40, "a tensor behind the end"),
            ("overlap", original(11, [(0, 1), (1, 2)], b"HGGTT"), 40, "tensors that overlap"),
            ("unknown", original(11, [(7, 1)], b"HGGTT"), 28, "a tensor that does not exist"),
            ("short", original(11, [(1, 1), (0, 5)], b"HGG"), 40, "bytes missing in gaps")]:
        bad(f"original-{name}.dtz", dtz([x, y], [(2, "m.gguf", section)]), "inconsistent",
            "section 'm.gguf': original file", offset, about)
    pair = Tensor("w", BF16, [3], some(6))
    for name, content, about in [
            ("few", b"\1\2\3\x70\xff\x01\x80\x00", "one exponent fewer than have no code"),
            ("many", b"\1\2\3\x70\x21\x01\x80\x00", "an exponent that no code asks for"),
            ("high", b"\1\2\3\x70\x21\x11\x00", "a code too many"),
            ("short", b"\1\2\3\x00", "no codes"),
            ("id", b"\1\2\3\x70\x21\x01\x09", "a transform that does not exist"),
            ("large", bytes(11), "more than a chunk can be")]:
        pair.frames = [frame(content)]
        whole = dtz([pair], transforms=(CODES,))
        bad(f"chunk-{name}.dtz", whole, "inconsistent", "tensor 'w', chunk 0",
            whole.index(pair.frames[0]), about)
    group = Tensor("w", F16, [32], bytes(64))
    for name, content, about in [
            ("few", bytes(48), "a byte too few"), ("many", bytes(50), "a byte too many"),
            ("other", b"\2" + bytes(48), "neither with nor without a palette"),
            ("without", b"\1" + bytes(48), "no palette, and fewer elements"), ("none", b"", "nothing")]:
        group.frames = [frame(content + b"\0")]
        whole = dtz([group], transforms=(PALETTES,))
        bad(f"palette-{name}.dtz", whole, "inconsistent", "tensor 'w', chunk 0",
            whole.index(group.frames[0]), about)
    bad("chunk-checksum.dtz", dtz([Tensor("x", U8, [4], some(4), checksum=1)]), "inconsistent",
        "tensor 'x', chunk 0", dtz([x]).index(frame(some(4) + b"\0")), "another checksum")
    bad("original-incomplete.dtz", dtz([x, y], [(2, "m.gguf", original(2, [(1, 0)], b""))]),
        "inconsistent", "original files", 40, "a tensor that is in no file")
    v.finish()


make_safetensors()
make_gguf()
make_dtz()
