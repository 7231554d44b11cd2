"""The rivals, as their users run them: PyTorch with transformers, clip-interrogator's way of using it, FAISS.

clip-interrogator 0.6.0 pads every text to 77 tokens and encodes 2,048 at a time; ranking, it takes tables above 2,048
labels apart, keeps the best of each part and ranks those (which is not exact). Both are followed here."""
import glob, json, math, os
import numpy as np

class Towers:
    """A checkpoint's towers in PyTorch."""
    def __init__(self, folder, dtype):
        import torch
        from transformers import CLIPModel, CLIPTokenizerFast
        torch.set_grad_enabled(False)
        self.torch, self.dtype = torch, {'f32': torch.float32, 'bf16': torch.bfloat16}[dtype]
        self.model = CLIPModel.from_pretrained(folder, dtype=self.dtype).eval()
        self.tokenizer = CLIPTokenizerFast.from_pretrained(folder)

    def rows(self, ids):
        pooled = self.model.text_model(input_ids=self.torch.tensor(ids)).pooler_output
        return self.torch.nn.functional.normalize(self.model.text_projection(pooled).float(), dim=-1)

    def padded(self, texts, batch=2048):
        """Padded to 77, as clip-interrogator does."""
        ids = self.tokenizer(texts, padding='max_length', truncation=True, max_length=77).input_ids
        return self.torch.cat([self.rows(ids[at:at + batch]) for at in range(0, len(ids), batch)])

    def cut(self, texts, batch=128):
        """Sorted by length and padded to the longest of a batch: what a user of PyTorch does who minds the time."""
        ids = self.tokenizer(texts, truncation=True, max_length=77).input_ids
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        rows = [None] * len(ids)
        for start in range(0, len(order), batch):
            part = order[start:start + batch]; longest = len(ids[part[-1]])
            end = self.tokenizer.eos_token_id  # the state is read at the first one
            for at, row in zip(part, self.rows([ids[at] + [end] * (longest - len(ids[at])) for at in part])): rows[at] = row
        return self.torch.stack(rows)

    def features(self, pixels):
        pixels = self.torch.from_numpy(pixels).to(self.dtype)
        rows = self.model.visual_projection(self.model.vision_model(pixel_values=pixels).pooler_output)
        return self.torch.nn.functional.normalize(rows.float(), dim=-1)

def rows_of(index, tables):
    """The f16 rows of an index's tables, read as any safetensors file is."""
    from safetensors.numpy import load_file
    parts = []
    for table in tables:
        for shard in sorted(glob.glob(f'{glob.escape(index)}/{table}-*.safetensors')): parts.append(load_file(shard)['embeds'])
    return np.concatenate(parts)

def rankers(half, wanted=None):
    """Name -> ranks(queries, k) for each rival over f16 rows, or for those `wanted`; and what is not installed."""
    import torch
    torch.set_grad_enabled(False)
    full, missing = half.astype(np.float32), []
    def product(dtype):
        rows = torch.from_numpy(full).to(dtype)
        return lambda queries, k: (torch.from_numpy(queries).to(dtype) @ rows.T).topk(k)[1].numpy()
    makers = {'PyTorch f32': lambda: product(torch.float32), 'PyTorch bf16 (not exact)': lambda: product(torch.bfloat16)}
    try: import faiss
    except ImportError: missing.append('FAISS, for faiss-cpu is not installed')
    else:
        def searcher(index):
            if not index.is_trained: index.train(full)
            index.add(full)
            return lambda queries, k: index.search(queries, k)[1]
        def coded(kind): return searcher(faiss.IndexScalarQuantizer(full.shape[1], kind, faiss.METRIC_INNER_PRODUCT))
        makers |= {'FAISS flat': lambda: searcher(faiss.IndexFlatIP(full.shape[1])),
                   'FAISS fp16': lambda: coded(faiss.ScalarQuantizer.QT_fp16),
                   'FAISS 8 bit (not exact)': lambda: coded(faiss.ScalarQuantizer.QT_8bit)}
    makers['clip-interrogator (not exact)'] = lambda: two_stage(full)
    return {name: make() for name, make in makers.items() if wanted is None or name in wanted}, missing

def two_stage(full, chunk=2048):
    """clip-interrogator's rank: a chunk at a time, the best of each, then the best of those. One image."""
    import torch
    each = list(full)  # it keeps one array a label
    def best(query, numbers, k):
        scores = query @ torch.stack([torch.from_numpy(each[at]) for at in numbers]).T
        return [numbers[at] for at in scores.topk(min(k, len(numbers)))[1][0].tolist()]
    def rank(queries, k):
        query, keep, left = torch.from_numpy(queries[:1]), chunk // math.ceil(len(each) / chunk), []
        for start in range(0, len(each), chunk): left += best(query, range(start, min(start + chunk, len(each))), keep)
        return np.array([best(query, left, k)])
    return rank

def threads(count):
    """Sets the threads of all rivals."""
    import torch
    torch.set_num_threads(count)
    try: import faiss
    except ImportError: return
    faiss.omp_set_num_threads(count)

def versions():
    found = {}
    for name in ('torch', 'transformers', 'faiss', 'numpy', 'matplotlib'):
        try: found[name] = __import__(name).__version__
        except ImportError: found[name] = None
    return found
