"""Loads model folders that plinth wrote in transformers, and compares the logits with those that plinth gave.

    node --import jiti/register scripts/read-back.ts <folder>
    python3 scripts/read-back.py <folder> [output.json]

Needs torch and transformers. Each model of the folder has a plinth.json with the ids, which of them are real, and the logits. Fails
where a weight is missing, unknown or of another shape, or where logits differ by 1e-5 or more.
"""
import json, pathlib, sys
import torch, transformers
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

def compare(path):
    expected = json.loads((path / "plinth.json").read_text())
    masked = json.loads((path / "config.json").read_text())["architectures"][0].endswith("ForMaskedLM")
    kind = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model, info = kind.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
    strange = {key: sorted(map(str, names)) for key, names in info.items() if names and "key" in key}
    real = torch.tensor(expected["real"])
    with torch.no_grad():
        logits = model.eval()(torch.tensor(expected["ids"]), attention_mask=real).logits
    ours = torch.tensor(expected["logits"]).reshape(logits.shape)
    difference = (logits - ours)[real == 1].abs().max().item()
    return {"class": type(model).__name__, "keys": strange or "all", "largest": ours.abs().max().item(), "difference": difference}

folder = pathlib.Path(sys.argv[1])
models = {path.parent.name: compare(path.parent) for path in sorted(folder.glob("*/plinth.json"))}
header = {"torch": torch.__version__, "transformers": transformers.__version__}
text = json.dumps({"header": header, "models": models}, indent=1)
print(text)
if len(sys.argv) > 2:
    pathlib.Path(sys.argv[2]).write_text(text + "\n")
wrong = [name for name, found in models.items() if found["keys"] != "all" or not found["difference"] < 1e-5]
if wrong or not models:
    sys.exit(f"not the same: {', '.join(wrong) or 'no model was found'}")
