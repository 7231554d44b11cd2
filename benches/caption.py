#!/usr/bin/env python3
"""The rival of benches/caption.rs: transformers over the same checkpoint, and the checkpoints themselves.

  pip install torch transformers safetensors tokenizers numpy
  caption.py make FOLDER SIZE           seeded weights in f16, sharded: blip2-opt-2.7b (7.5 GB) or blip2-opt-small (0.7 GB)
  caption.py race FOLDER [--dtype f32]  the timings that `cargo bench --bench caption` prints for this project, one JSON line each

Speed and memory do not need trained weights. Both sides force the length to 21 tokens, so that no caption ends early;
decoding is the time from the first token's scores to the last's, over 20 steps."""
import argparse, json, os, resource, time
import numpy as np

SIZES = {
    'blip2-opt-2.7b': dict(vision=(1408, 6144, 39, 16), qformer=(768, 3072, 12, 12), text=(2560, 10240, 32, 32), vocab=50304),
    'blip2-opt-small': dict(vision=(384, 1536, 6, 6), qformer=(384, 1536, 6, 6), text=(1024, 4096, 24, 16), vocab=50304),
}

def shapes(size):
    """Every weight's name and shape, as Blip2ForConditionalGeneration names them."""
    (v, vw, vl, _), (q, qw, ql, _), (t, tw, tl, _) = size['vision'], size['qformer'], size['text']
    def linear(name, out, inputs, bias=True):
        yield f'{name}.weight', (out, inputs)
        if bias: yield f'{name}.bias', (out,)
    def norm(name, dim): yield f'{name}.weight', (dim,); yield f'{name}.bias', (dim,)
    e = 'vision_model.embeddings'
    yield f'{e}.class_embedding', (1, 1, v); yield f'{e}.position_embedding', (1, 257, v)
    yield f'{e}.patch_embedding.weight', (v, 3, 14, 14); yield f'{e}.patch_embedding.bias', (v,)
    for i in range(vl):
        at = f'vision_model.encoder.layers.{i}'
        yield from linear(f'{at}.self_attn.qkv', 3 * v, v); yield from linear(f'{at}.self_attn.projection', v, v)
        yield from linear(f'{at}.mlp.fc1', vw, v); yield from linear(f'{at}.mlp.fc2', v, vw)
        yield from norm(f'{at}.layer_norm1', v); yield from norm(f'{at}.layer_norm2', v)
    yield from norm('vision_model.post_layernorm', v)
    yield 'query_tokens', (1, 32, q); yield from norm('qformer.layernorm', q)
    for i in range(ql):
        at = f'qformer.encoder.layer.{i}'
        for kind, source in (('attention', q),) + ((('crossattention', v),) if i % 2 == 0 else ()):
            yield from linear(f'{at}.{kind}.attention.query', q, q)
            yield from linear(f'{at}.{kind}.attention.key', q, source); yield from linear(f'{at}.{kind}.attention.value', q, source)
            yield from linear(f'{at}.{kind}.output.dense', q, q); yield from norm(f'{at}.{kind}.output.LayerNorm', q)
        yield from linear(f'{at}.intermediate_query.dense', qw, q); yield from linear(f'{at}.output_query.dense', q, qw)
        yield from norm(f'{at}.output_query.LayerNorm', q)
    yield from linear('language_projection', t, q)
    at = 'language_model.model.decoder'
    yield f'{at}.embed_tokens.weight', (size['vocab'], t); yield f'{at}.embed_positions.weight', (2050, t)
    for i in range(tl):
        layer = f'{at}.layers.{i}'
        for part in ('q_proj', 'k_proj', 'v_proj', 'out_proj'): yield from linear(f'{layer}.self_attn.{part}', t, t)
        yield from linear(f'{layer}.fc1', tw, t); yield from linear(f'{layer}.fc2', t, tw)
        yield from norm(f'{layer}.self_attn_layer_norm', t); yield from norm(f'{layer}.final_layer_norm', t)
    yield from norm(f'{at}.final_layer_norm', t)

def make(args):
    size = SIZES[args.size]; os.makedirs(args.folder, exist_ok=True)
    rng = np.random.default_rng(0); noise = (rng.standard_normal(1 << 22) * 0.02).astype(np.float16)
    shards, index, shard_bytes = [[]], {}, 0
    for name, shape in shapes(size):
        bytes_ = 2 * int(np.prod(shape))
        if shard_bytes + bytes_ > 2 << 30: shards.append([]); shard_bytes = 0
        shards[-1].append((name, shape, bytes_)); shard_bytes += bytes_
    for number, shard in enumerate(shards, 1):
        file = f'model-{number:05}-of-{len(shards):05}.safetensors'
        header, at = {}, 0
        for name, shape, bytes_ in shard:
            header[name] = dict(dtype='F16', shape=list(shape), data_offsets=[at, at + bytes_]); at += bytes_; index[name] = file
        head = json.dumps(header).encode(); head += b' ' * (-len(head) % 8)
        with open(f'{args.folder}/{file}', 'wb') as out:
            out.write(len(head).to_bytes(8, 'little') + head)
            for name, shape, bytes_ in shard:
                left = bytes_ // 2
                if name.endswith('weight') and 'norm' in name.lower(): out.write(np.ones(left, np.float16).tobytes()); continue
                while left:  # a window of the noise that starts anywhere, so that no two layers are alike
                    start = int(rng.integers(1 << 21)); part = noise[start:start + min(left, 1 << 21)]
                    out.write(part.tobytes()); left -= len(part)
    json.dump(dict(metadata=dict(total_size=sum(b for s in shards for _, _, b in s)), weight_map=index), open(f'{args.folder}/model.safetensors.index.json', 'w'))
    (v, vw, vl, vh), (q, qw, ql, qh), (t, tw, tl, th) = size['vision'], size['qformer'], size['text']
    json.dump(dict(
        model_type='blip-2', architectures=['Blip2ForConditionalGeneration'], num_query_tokens=32, image_token_index=50265, dtype='float16',
        vision_config=dict(model_type='blip_2_vision_model', hidden_size=v, intermediate_size=vw, num_hidden_layers=vl, num_attention_heads=vh),
        qformer_config=dict(model_type='blip_2_qformer', hidden_size=q, intermediate_size=qw, num_hidden_layers=ql, num_attention_heads=qh, encoder_hidden_size=v),
        text_config=dict(model_type='opt', hidden_size=t, ffn_dim=tw, num_hidden_layers=tl, num_attention_heads=th, vocab_size=size['vocab'],
                         word_embed_proj_dim=t, bos_token_id=2, eos_token_id=50118, pad_token_id=1)), open(f'{args.folder}/config.json', 'w'))
    from tokenizers import Tokenizer, models, pre_tokenizers
    words = Tokenizer(models.WordLevel({f'w{i}': i for i in range(50266)}, unk_token='w3'))
    words.pre_tokenizer = pre_tokenizers.Whitespace(); words.save(f'{args.folder}/tokenizer.json')
    json.dump(dict(image_processor_type='BlipImageProcessor', size=dict(height=224, width=224), image_mean=[.48145466, .4578275, .40821073],
                   image_std=[.26862954, .26130258, .27577711]), open(f'{args.folder}/preprocessor_config.json', 'w'))

def race(args):
    import torch
    from transformers import Blip2ForConditionalGeneration
    torch.set_grad_enabled(False); torch.set_num_threads(args.threads)
    dtype = dict(f32=torch.float32, bf16=torch.bfloat16, f16=torch.float16)[args.dtype]
    model = Blip2ForConditionalGeneration.from_pretrained(args.folder, dtype=dtype).eval()
    for batch in args.batches:
        pixels = torch.zeros(batch, 3, 224, 224, dtype=dtype)
        for beams in args.beams:
            first = step = float('inf')
            for _ in range(args.runs):
                times, start = [], time.perf_counter()
                def watch(ids, scores): times.append(time.perf_counter() - start); return scores
                model.generate(pixel_values=pixels, num_beams=beams, min_new_tokens=21, max_new_tokens=21, do_sample=False, logits_processor=[watch])
                first, step = min(first, times[0]), min(step, (times[20] - times[0]) / 20)
            print(json.dumps(dict(side='transformers', dtype=args.dtype, batch=batch, beams=beams, first_token_s=round(first, 3), prompt_per_s=round(33 * batch / first, 1),
                                  tokens_per_s=round(batch / step, 2),
                                  peak_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 2))), flush=True)

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest='do', required=True)
    s = sub.add_parser('make'); s.add_argument('folder'); s.add_argument('size', choices=SIZES)
    s = sub.add_parser('race'); s.add_argument('folder'); s.add_argument('--dtype', default='f32', choices=('f32', 'bf16', 'f16'))
    s.add_argument('--threads', type=int, default=os.cpu_count()); s.add_argument('--runs', type=int, default=3)
    s.add_argument('--batches', type=int, nargs='+', default=[1, 8]); s.add_argument('--beams', type=int, nargs='+', default=[1, 6])
    args = p.parse_args(); globals()[args.do](args)
