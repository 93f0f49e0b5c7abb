"""Types per tensor as llama.cpp chooses them: make_mixes.py > Mixes.txt, with llama-cpp-python 0.3.36 and gguf.

For each model a line of its properties, then one line per mix: its name, whether there is an importance matrix
(* where that makes no difference), and for each kind of matrix one letter per layer, from the alphabet of the first line.
"""

import ctypes
import re
import tempfile
from pathlib import Path

import gguf
import llama_cpp as api
import numpy as np

TYPES = ["Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K", "IQ3_S",
         "IQ3_XXS", "Q2_K", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "TQ2_0", "TQ1_0", "MXFP4"]
LETTERS = dict(zip(TYPES, "ABCDEFGHIJKLMNOPQRSTUV"))
KINDS = ["attn_k", "attn_output", "attn_q", "attn_v", "ffn_down", "ffn_gate", "ffn_up"]
# architecture, layers, experts, query heads per key head, tied
MODELS = [("llama", 22, 0, 1, False), ("llama", 17, 0, 4, True), ("llama", 80, 0, 8, False),
          ("llama", 9, 8, 2, False), ("llama", 16, 4, 4, False), ("qwen2moe", 18, 6, 1, False),
          ("falcon", 32, 0, 4, True), ("phi3", 24, 0, 1, False)]
SKIPPED = {"F16", "BF16", "NVFP4", "Q1_0", "Q2_0"}

_log = []


@api.llama_log_callback
def _keep(level, text, _):
    _log.append(text.decode(errors="replace"))


def write(path, architecture, layers, experts, shared, tied):
    writer = gguf.GGUFWriter(str(path), architecture)
    for key, value in [("context_length", 64), ("embedding_length", 256), ("block_count", layers),
                       ("feed_forward_length", 256), ("attention.head_count", 8),
                       ("attention.head_count_kv", 8 // shared), ("expert_count", experts),
                       ("expert_used_count", min(experts, 2)), ("expert_feed_forward_length", 256),
                       ("rope.dimension_count", 32), ("attention.sliding_window", 0)]:
        writer.add_uint32(f"{architecture}.{key}", value)
    for key in ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"):
        writer.add_float32(f"{architecture}.{key}", 1e-5)
    matrix = np.zeros((256, 256), np.float16)
    names = ["token_embd"] + ([] if tied else ["output"])
    for layer in range(layers):
        attention = ["attn_qkv", "attn_output"] if architecture in ("falcon", "phi3") else KINDS[:4]
        feed = ["ffn_down", "ffn_up"] if architecture in ("falcon", "phi3") else KINDS[4:]
        if experts:
            feed = [f"{name}_exps" for name in feed] + ([f"{name}_shexp" for name in feed] if architecture == "qwen2moe" else [])
        names += [f"blk.{layer}.{name}" for name in attention + feed]
    for name in names:
        writer.add_tensor(f"{name}.weight", np.zeros((experts, 256, 256), np.float16) if "_exps" in name else matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types(path, number, importance):
    _log.clear()
    parameters = api.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread, parameters.dry_run = number, 1, True
    ones = (ctypes.c_float * 4)(1, 1, 1, 1)
    entries = (api.llama_model_imatrix_data * 2)()
    entries[0].name, entries[0].size = b"absent.weight", 4
    entries[0].data = ctypes.cast(ones, ctypes.POINTER(ctypes.c_float))
    if importance:
        parameters.imatrix = entries
    assert api.llama_model_quantize(str(path).encode(), b"none.gguf", ctypes.byref(parameters)) == 0, "".join(_log[-5:])
    pattern = r"\]\s+(\S+)\.weight\s+- \[.*?\], type = .*? -> .*?\((\w+)\)"
    return {name: LETTERS[kind.upper()] for name, kind in re.findall(pattern, "".join(_log))}


def main():
    api.llama_log_set(_keep, None)
    api.llama_backend_init()
    numbers = {name.removeprefix("LLAMA_FTYPE_MOSTLY_"): getattr(api, name)
               for name in dir(api) if name.startswith("LLAMA_FTYPE_MOSTLY_")}
    print("types", *(f"{letter}={name}" for name, letter in LETTERS.items()))
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            path = Path(folder) / "model.gguf"
            write(path, *model)
            print("model", *model[:4], "tied" if model[4] else "untied")
            for name, number in numbers.items():
                if name in SKIPPED:
                    continue
                choices = [types(path, number, importance) for importance in (False, True)]
                for label, choice in zip("-+", choices) if choices[0] != choices[1] else [("*", choices[0])]:
                    kinds = {}
                    for tensor, letter in choice.items():
                        kind = re.sub(r"^blk\.\d+\.", "", tensor)
                        layer = re.match(r"blk\.(\d+)\.", tensor)
                        kinds.setdefault(kind, {})[int(layer[1]) if layer else 0] = letter
                    words = []
                    for kind, letters in sorted(kinds.items()):
                        text = "".join(letters[i] for i in sorted(letters))
                        words.append(f"{kind}={text[0] if len(set(text)) == 1 else text}")
                    print(name, label, number, *words)


if __name__ == "__main__":
    main()
