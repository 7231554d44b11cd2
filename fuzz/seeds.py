#!/usr/bin/env python3
"""Writes seeds/ from the fixtures of the tests: one or two valid inputs per target.

Uses the standard library alone; writes the same bytes each time.
"""

import hashlib
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "tests" / "fixtures"


def write_seed(target, name, data):
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def framed(safetensors):
    """The input of `framed` in src/lib.rs: the header, a zero, the rest."""
    (length,) = struct.unpack("<Q", safetensors[:8])
    return safetensors[8 : 8 + length] + b"\0" + safetensors[8 + length :]


def index():
    for name in ["index-v1", "index-v1-codes", "index-v2"]:
        folder = FIXTURES / name
        write_seed("manifest", name, (folder / "manifest.json").read_bytes())
        shard = next(folder.glob("flavors-00000-*")).read_bytes()
        labels = next(folder.glob("flavors-*.labels")).read_bytes()
        write_seed("shard", name, framed(shard))
        write_seed("shard", name + "-whole", shard)
        write_seed("labels", name + "-whole", labels)
        one = next(folder.glob("mediums-*.labels")).read_bytes()
        rows = next(folder.glob("mediums-0*")).read_bytes()
        write_seed("index", name, struct.pack("<BBH", 2, 8, len(one)) + one + rows)
    write_seed("labels", "framed", bytes([2, 5, 9]) + b"\0" + b"8kcaf\xc3\xa9abc")
    seed = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(60))
    write_seed("codes", "small", bytes([7, 24, 3, 2, 0]) + seed)
    write_seed("codes", "wide", bytes([63, 20, 2, 7, 1]) + seed)
    write_seed("codes", "bits", bytes([15, 40, 4, 0, 0]) + b"\x20" * 16 + b"\x01" + seed)


def text(word):
    return b"X" + struct.pack("<I", len(word)) + word


def tensor(key, values, sizes, strides, kind=b"FloatStorage"):
    ints = lambda all: b"(" + b"".join(b"K" + bytes([n]) for n in all) + b"t"
    storage = text(b"storage") + b"ctorch\n" + kind + b"\n" + text(key) + text(b"cpu")
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage + b"K" + bytes([values]) + b"tQK\0"
        + ints(sizes) + ints(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def archive():
    floats = struct.pack("<6f", *range(6))
    dicts = b"\x80\x02}(" + text(b"w") + tensor(b"0", 6, [2, 3], [3, 1]) + text(b"b")
    dicts += tensor(b"0", 6, [2], [1]) + b"u."
    inner = b"c__torch__.a\nInner\n)\x81}(" + text(b"w") + tensor(b"0", 6, [3, 2], [1, 3]) + b"ub"
    module = b"\x80\x02c__torch__\nOuter\n)\x81}(" + text(b"layer") + inner + b"ub."
    kept = b"\x80\x02}q\0(" + text(b"state_dict") + b"q\1}q\2(" + text(b"module.w")
    kept += tensor(b"1", 3, [3], [1], b"HalfStorage") + b"uX\x01\0\0\0eK\x07u."
    for name, choice, pickle, data in [
        ("dicts", 0, dicts, floats),
        ("module", 0, module, floats),
        ("kept", 1, kept, b"\0\x3c\0\x3c\0\x3c"),
    ]:
        if choice:
            data = data.replace(b"\0", b"\1") + b"\0" + floats
        write_seed("archive", name, bytes([choice]) + struct.pack("<H", len(pickle)) + pickle + data)
    import io
    import zipfile

    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        for name, data in [("m/data.pkl", dicts), ("m/data/0", floats), ("m/byteorder", b"little")]:
            file.writestr(zipfile.ZipInfo(name), data)
    write_seed("archive", "whole", whole.getvalue())


def weights():
    header = (
        b'{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},'
        b'"b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},'
        b'"c":{"dtype":"F16","shape":[],"data_offsets":[22,24]}}'
    )
    write_seed("weights", "three", header + b"\0" + bytes(24))
    write_seed("weights", "whole", struct.pack("<Q", len(header)) + header + bytes(24))


def models():
    for number, name in enumerate(["config.json", "preprocessor_config.json"]):
        write_seed("clip_config", name, bytes([number]) + (FIXTURES / "clip/gelu" / name).read_bytes())
    for kind, fixture in enumerate(["blip", "blip2-opt", "blip2-t5"]):
        names = ["config.json", "preprocessor_config.json", "tokenizer.json"]
        for number, name in enumerate(names):
            data = (FIXTURES / "caption" / fixture / name).read_bytes()
            write_seed("caption_config", f"{fixture}-{name}", bytes([kind + 3 * number]) + data)
    clip = FIXTURES / "clip"
    write_seed("tokenizer", "whole", b"\0" + (clip / "gelu/tokenizer.json").read_bytes())
    vocab, merges = [(clip / "quick" / n).read_bytes() for n in ["vocab.json", "merges.txt"]]
    write_seed("tokenizer", "parts", b"\1" + vocab + b"\0" + merges)
    write_seed("tokenizer", "words", b"\2" + (FIXTURES / "sentence/tokenizer.json").read_bytes())


def lists():
    lines = "\ufeff8k\r\n\u00e9lan\n\ncaf\ufffd\n8k\n\u65e5\u672c \n".encode()
    for number, name in enumerate(["plain", "artists", "sites", "top"]):
        write_seed("dictionary", name, bytes([number]) + lines)
    write_seed("dictionary", "wide", b"\0\xff\xfea\0\n\0")
    write_seed("lines", "marked", b"\x42\xef\xbb\xbfa cat\r\n\r\n" + b"x" * 20 + b"\ny")
    write_seed("lines", "wide", b"\x42" + "\ufeffa\r\n\U0001f408".encode("utf-16-le"))
    write_seed("lines", "names", b"\x41a\nb\0c\0")
    cases = FIXTURES / "cases"
    for name in ["prompts-bom.jsonl", "prompts-blank-first.jsonl", "prompts.csv", "texts-bom.txt"]:
        write_seed("prompt_file", name, b"\x03" + (cases / name).read_bytes())
    write_seed("prompt_file", "braces", b"\x03{red, blue}\n[a:b:0.5]\n")
    caches = FIXTURES / "caches"
    cache = (caches / "fake_one_flavors.safetensors").read_bytes()
    labels = (caches / "flavors.txt").read_bytes()
    write_seed("cache", "flavors", b"\0" + labels + b"\0" + framed(cache))
    write_seed("cache", "flavors-whole", b"\0" + labels + b"\0" + cache)
    # A block of two labels: a table of ends and texts, then rows of four values.
    table = struct.pack("<QIIQ", 8, 2, 7, 7) + b"8ka cat"
    write_seed("journal", "block", b"\1" + struct.pack("<Q", len(table)) + table + b"\0\x38" * 8)
    payload = b"label-index journal 1\nf1\n4\n"
    record = struct.pack("<Q", len(payload)) + payload + hashlib.sha256(payload).digest()
    write_seed("journal", "head", b"\0" + record)


def words():
    for number, text in enumerate(json.loads((FIXTURES / "cleaning/golden.json").read_text())["nasty"]):
        write_seed("cleaning", f"nasty-{number:03}", text["text"].encode())
    write_seed("template", "form", b"\0{caption}, {mediums} and {flavors}{{x}}, {body}")
    write_seed("template", "deny", b"\1# no\nnude\n/greg.*(a|b)[a-z]{1,3}/\n")
    write_seed("template", "names", b"\2ViT-L-14/openai@main")
    write_seed("template", "file", b"\2flavors-00000-of-00003-e3b0c44298fc.safetensors")
    write_seed("query", "sum", b'2*a.jpg - "a \\"drawing\\"" + .5 * text:"x" + image:"b c.png"')
    config = (
        b'{"blip_model":"blip227b","blip_path":"b","clip_model":"ViT-B-32","clip_path":"c",'
        b'"dicts":"d","chunk_size":2048,"embedding_model":"m","embedding_dir":"","embedding_path":"e"}'
    )
    write_seed("pipeline", "whole", config + b"\0" + b'{"chunk_size":7}')


for write in [index, archive, weights, models, lists, words]:
    write()
