"""One side of `npm run bench -- embed`: PyTorch with transformers, in padded batches sorted by length."""
import json, sys, time
import torch, transformers
from transformers import AutoModel, AutoTokenizer

folder, file, threads = sys.argv[1:4]
torch.set_num_threads(int(threads))
texts = json.load(open(file))
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).eval()

@torch.inference_mode()
def embed():
    start = time.perf_counter()
    # tokens are made once, for all sentences, as on the other sides
    ids = tokenizer(texts, truncation=True, max_length=256)["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: -len(ids[i]))
    vectors = [None] * len(texts)
    for at in range(0, len(order), 32):
        members = order[at : at + 32]
        batch = tokenizer.pad({"input_ids": [ids[i] for i in members]}, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        rows = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
        for i, row in zip(members, rows):
            vectors[i] = row
    seconds = time.perf_counter() - start
    return seconds, torch.stack(vectors).tolist()

first, _ = embed()
seconds, vectors = embed()
version = f"torch {torch.__version__}, transformers {transformers.__version__}"
print(json.dumps({"seconds": seconds, "first": first, "vectors": vectors, "version": version}))
