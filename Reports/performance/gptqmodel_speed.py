"""How long GPTQModel takes to quantize a model on the CPU, for the side-by-side figures of this report.

    python3 Reports/performance/gptqmodel_speed.py MODEL TEXT [WINDOWS [THREADS]]     (needs: pip install gptqmodel)

MODEL is a Hugging Face folder. The text's first WINDOWS windows of 512 tokens are the calibration, groups of 32
weights share a scale as in Q4_0. Loading is not counted. GPTQModel's log, which it writes to the folder it runs in, is not kept.
"""

import json
import os
import sys
import tempfile
import time

path, text = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
windows = int(sys.argv[3]) if len(sys.argv) > 3 else 128
threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["GPTQMODEL_CPU_WORKERS"] = "2"  # With fewer than that it does not start.

import torch
from gptqmodel import GPTQModel, QuantizeConfig
from tokenizers import Tokenizer

torch.set_num_threads(threads)
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
ids = Tokenizer.from_file(os.path.join(path, "tokenizer.json")).encode(
    open(text, encoding="utf-8").read(), add_special_tokens=False).ids
data = [{"input_ids": ids[start:start + 512], "attention_mask": [1] * 512}
        for start in range(0, 512 * windows, 512)]
settings = QuantizeConfig(bits=4, group_size=32, sym=True, desc_act=False, device="cpu")
model = GPTQModel.load(path, settings, dtype=torch.float32)
start, used = time.perf_counter(), time.process_time()
model.quantize(data, batch_size=1)
print(json.dumps({"tool": "gptqmodel", "windows": windows, "threads": threads,
                  "seconds": time.perf_counter() - start, "cpu": time.process_time() - used}))
