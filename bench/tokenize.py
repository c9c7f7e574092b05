"""Tokens per second of the tokenizers library from Python: tokenize.py <tokenizer.json> <texts.json> <seconds>.

The text comes in the same groups as on the other side; ids are taken out as lists. Prints one JSON object a pass.
"""
import json, sys, time
import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
groups = json.load(open(sys.argv[2]))

def all_ids():
    count = 0
    for group in groups:
        for encoding in tokenizer.encode_batch(group, add_special_tokens=False):
            count += len(encoding.ids)
    return count

all_ids()
start = time.perf_counter()
passes = 0
tokens = 0
while time.perf_counter() - start < float(sys.argv[3]):
    tokens += all_ids()
    passes += 1
print(json.dumps({"rate": tokens / (time.perf_counter() - start), "tokens": tokens // passes, "version": tokenizers.__version__}))
