"""PyTorch's side of bench/decode: torch_side.py <threads> <prompt> <tokens> <long prompt>; prints one line of JSON.

GPT-2 of random weights by transformers, with its cache; greedy, without the bookkeeping of generate().
"""
import json, resource, statistics, sys, time
import torch, transformers

threads, prompt, tokens, long = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(1)
model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()


def times(length, count):
    ids = (torch.arange(length) * 7919 % model.config.vocab_size)[None]
    found = []
    cache = None
    for _ in range(count):
        start = time.perf_counter()
        out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        ids = out.logits[:, -1].argmax(-1, keepdim=True)
        found.append(1e3 * (time.perf_counter() - start))
    return found


with torch.inference_mode():
    times(prompt, tokens)
    times(long, 1)
    single = times(prompt, tokens)[1:]
    prefills = [times(long, 1)[0] for _ in range(3)]
print(
    json.dumps(
        {
            "token": statistics.median(single),
            "prefill": statistics.median(prefills),
            "memoryMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
    )
)
