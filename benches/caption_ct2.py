#!/usr/bin/env python3
"""A rival of benches/caption.rs: CTranslate2 over the language model of the same checkpoint.

  pip install ctranslate2 torch transformers safetensors tokenizers numpy
  caption_ct2.py convert FOLDER OUT   writes the OPT of the BLIP-2 checkpoint FOLDER as OUT/opt and converts it to
                                      OUT/float32 and OUT/int8, the two types that CTranslate2 computes in on a CPU
  caption_ct2.py race OUT             tokens per second while decoding, one JSON line per case
  caption_ct2.py check OUT            compares greedy tokens with those of transformers over OUT/opt, in f32

CTranslate2 takes tokens and no embeddings. So it reads 33 tokens where BLIP-2 reads 32 query embeddings and a start token:
as many positions, of the same cost. It has no image tower, so only decoding is compared. Both sides force 21 tokens. Here
the time of 20 steps is that of 21 tokens less that of one token, each the best of the runs; benches/caption.rs takes it
from the first token's end to the last's. CTranslate2 loads float16 and bfloat16 as float32 on a CPU without native
support; `types` lists what it supports."""
import argparse, json, os, time

PROMPT, STEPS = 33, 20

def convert(args):
    import torch
    from ctranslate2.converters import TransformersConverter
    from safetensors import safe_open
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import OPTConfig, OPTForCausalLM, PreTrainedTokenizerFast
    prefix, opt = 'language_model.', f'{args.out}/opt'
    text = json.load(open(f'{args.folder}/config.json'))['text_config']
    weights = {}
    for file in sorted(set(json.load(open(f'{args.folder}/model.safetensors.index.json'))['weight_map'].values())):
        with safe_open(f'{args.folder}/{file}', 'pt') as shard:
            weights |= {name[len(prefix):]: shard.get_tensor(name).float() for name in shard.keys() if name.startswith(prefix)}
    weights['lm_head.weight'] = weights['model.decoder.embed_tokens.weight']
    with torch.device('meta'): model = OPTForCausalLM(OPTConfig(**{k: v for k, v in text.items() if k != 'model_type'}))
    model.load_state_dict(weights, assign=True); model.save_pretrained(opt)
    # Every id of the vocabulary is a word: CTranslate2 addresses tokens by name.
    words = Tokenizer(models.WordLevel({f'w{i}': i for i in range(text['vocab_size'])}, unk_token='w3'))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    token = {name: f"w{text[f'{name}_token_id']}" for name in ('bos', 'eos', 'pad')}
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token='w3', **{f'{name}_token': word for name, word in token.items()}).save_pretrained(opt)
    for quantization in ('float32', 'int8'):
        TransformersConverter(opt).convert(f'{args.out}/{quantization}', quantization=quantization, force=True)

def prompts(batch):
    return [[f'w{(7919 * (image + 1) * (at + 1)) % 50000 + 10}' for at in range(PROMPT)] for image in range(batch)]

def generate(model, batch, beams, tokens):
    results = model.generate_batch(prompts(batch), beam_size=beams, min_length=tokens, max_length=tokens, include_prompt_in_result=False)
    ids = [result.sequences_ids[0] for result in results]
    assert all(len(each) == tokens for each in ids), 'a sequence ended early'
    return ids

def race(args):
    import ctranslate2
    print(json.dumps(dict(side='ctranslate2', version=ctranslate2.__version__, types=sorted(ctranslate2.get_supported_compute_types('cpu')))), flush=True)
    for quantization in args.quantization:
        model = ctranslate2.Generator(f'{args.out}/{quantization}', device='cpu', compute_type=quantization, inter_threads=1, intra_threads=args.threads)
        for batch in args.batches:
            for beams in args.beams:
                def best(tokens):
                    def once(): start = time.perf_counter(); generate(model, batch, beams, tokens); return time.perf_counter() - start
                    return min(once() for _ in range(args.runs))
                first, all_ = best(1), best(STEPS + 1)
                print(json.dumps(dict(side='ctranslate2', dtype=quantization, batch=batch, beams=beams, prompt_s=round(first, 3),
                                      tokens_per_s=round(batch * STEPS / (all_ - first), 2))), flush=True)

def check(args):
    import ctranslate2, torch
    from transformers import OPTForCausalLM
    torch.set_grad_enabled(False)
    model = ctranslate2.Generator(f'{args.out}/float32', device='cpu', compute_type='float32')
    opt = OPTForCausalLM.from_pretrained(f'{args.out}/opt', dtype=torch.float32).eval()
    for beams in args.beams:
        ours = torch.tensor([[int(word[1:]) for word in prompt] for prompt in prompts(4)])
        theirs = opt.generate(ours, attention_mask=torch.ones_like(ours), num_beams=beams, min_new_tokens=STEPS + 1, max_new_tokens=STEPS + 1, do_sample=False)
        equal = [a == b for a, b in zip(generate(model, 4, beams, STEPS + 1), theirs[:, PROMPT:].tolist())]
        print(json.dumps(dict(check='ctranslate2 and transformers', beams=beams, equal=sum(equal), of=len(equal))), flush=True)

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest='do', required=True)
    s = sub.add_parser('convert'); s.add_argument('folder'); s.add_argument('out')
    for name in ('race', 'check'):
        s = sub.add_parser(name); s.add_argument('out')
        s.add_argument('--beams', type=int, nargs='+', default=[1, 6])
        s.add_argument('--batches', type=int, nargs='+', default=[1, 8]); s.add_argument('--runs', type=int, default=3)
        s.add_argument('--quantization', nargs='+', default=['float32', 'int8']); s.add_argument('--threads', type=int, default=os.cpu_count())
    args = p.parse_args(); globals()[args.do](args)
