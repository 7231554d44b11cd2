"""The rivals: PyTorch with its fused attention (SDPA), over seeded modules of the real shapes. Speed needs no trained weights."""
import platform, time

class Torch:
    """PyTorch on a device, and its clock."""
    def __init__(self, device):
        import torch
        torch.set_grad_enabled(False)
        self.torch = torch
        self.device = torch.device('cuda:0' if device.startswith('cuda') else 'mps' if device == 'metal' else 'cpu')
        if device.startswith('cuda:'): self.device = torch.device(device)
        self.half = torch.float32 if self.device.type == 'cpu' else torch.float16  # halves crawl on a processor
        self.cuda = self.device.type == 'cuda'
        self.name = torch.cuda.get_device_name(self.device) if self.cuda else platform.processor() or platform.machine()

    def wait(self):
        if self.cuda: self.torch.cuda.synchronize(self.device)
        if self.device.type == 'mps': self.torch.mps.synchronize()

    def time(self, work, runs, until):
        """Wall and stream milliseconds of up to `runs` runs after one untimed; no run starts after `until` but the first. Stream time is between
        two CUDA events around the work, so that it includes the gaps in which the device waits for the host."""
        work(); self.wait(); wall, stream = [], []
        while not wall or (len(wall) < runs and time.perf_counter() < until):
            if self.cuda: events = [self.torch.cuda.Event(enable_timing=True) for _ in range(2)]
            start = time.perf_counter()
            if self.cuda: events[0].record()
            work()
            if self.cuda: events[1].record()
            self.wait(); wall.append((time.perf_counter() - start) * 1e3)
            if self.cuda: stream.append(events[0].elapsed_time(events[1]))
        return dict(ms=wall, stream_ms=stream)

    def free(self):
        """Returns unused memory to the device, for the program that runs next."""
        import gc
        gc.collect()
        if self.cuda: self.torch.cuda.empty_cache()

    def seeded(self, make):
        """A module made on the device, in half precision, with seeded weights."""
        torch = self.torch
        torch.manual_seed(1); before = torch.get_default_dtype(); torch.set_default_dtype(self.half)
        try:
            with self.device: return make().eval()
        finally: torch.set_default_dtype(before)

    def roofs(self, quick, until):
        """GB/s of reading a large vector once, TFLOP/s of a square product in the type that the rivals use."""
        torch, values, side = self.torch, (1 << 22 if quick else 1 << 30), (512 if quick else 8192)
        vector = torch.ones(values, device=self.device, dtype=self.half)
        read = min(self.time(lambda: torch.sum(vector, dtype=torch.float32), 5, until)['ms']); del vector
        a, b = (torch.randn(side, side, device=self.device, dtype=self.half) for _ in range(2))
        product = min(self.time(lambda: a @ b, 5, until)['ms'])
        size = torch.tensor([], dtype=self.half).element_size()
        return dict(read_gb_s=values * size / read / 1e6, product_tflop_s=2 * side**3 / product / 1e9, dtype=str(self.half).split('.')[1])

    # ---- ranking

    def table(self, rows, dim):
        return self.torch.nn.functional.normalize(self.torch.randn(rows, dim, device=self.device, dtype=self.half), dim=1)

    def rank(self, table, queries, k, compiled=False):
        """matmul + topk over as many rows at once as a quarter of the memory holds scores of, then topk of those."""
        torch, rows = self.torch, table.shape[0]
        ask = torch.nn.functional.normalize(torch.randn(queries, table.shape[1], device=self.device, dtype=self.half), dim=1)
        free = torch.cuda.mem_get_info(self.device)[0] if self.cuda else 4 << 30
        step = max(1 << 14, min(rows, free // 4 // (queries * table.element_size())))
        best = lambda ask, part: (ask @ part.T).topk(min(k, part.shape[0]), dim=1)
        if compiled: best = torch.compile(best, dynamic=False)
        def work():
            parts = [best(ask, table[at:at + step]) for at in range(0, rows, step)]
            scores, places = torch.cat([p[0] for p in parts], 1), torch.cat([p[1] + at for at, p in zip(range(0, rows, step), parts)], 1)
            found = scores.topk(k, dim=1)
            return found.values.cpu(), places.gather(1, found.indices).cpu()
        return work

    # ---- CLIP's towers

    def text_tower(self, size, compiled):
        tower = self.seeded(lambda: _modules().TextTower(*TEXT[size]))
        if compiled: tower.compile_layers()
        return lambda ids, ends: tower(ids, ends)

    def texts(self, tower, batches):
        """Work that encodes batches of (labels, tokens), as sorted labels or padded ones make them."""
        torch = self.torch
        ids = {length: torch.randint(0, 49408, (most, length), device=self.device)
               for length in {length for _, length in batches} for most in [max(n for n, l in batches if l == length)]}
        def work():
            rows = [tower(ids[length][:count], torch.full((count,), length - 1, device=self.device)) for count, length in batches]
            return torch.cat(rows).cpu()
        return work

    def image_tower(self, size, compiled):
        tower = self.seeded(lambda: _modules().ImageTower(*IMAGE[size]))
        if compiled: tower.compile_layers()
        return tower

    # ---- BLIP-2

    def blip2(self, quick, compiled):
        model = self.seeded(lambda: _modules().Blip2(**(TINY if quick else OPT_2_7B)))
        if compiled: model.compile_layers()
        return model

    def blip2_of_transformers(self, quick):
        """transformers' own model and search; None where transformers is not installed."""
        try: from transformers import Blip2Config, Blip2ForConditionalGeneration, OPTConfig
        except ImportError: return None
        shape = TINY if quick else OPT_2_7B
        text = OPTConfig(vocab_size=50272, hidden_size=shape['text'][0], ffn_dim=shape['text'][1], num_hidden_layers=shape['text'][2],
                         num_attention_heads=shape['text'][3], word_embed_proj_dim=shape['text'][0], eos_token_id=50118)
        parts = [dict(hidden_size=w, intermediate_size=inner, num_hidden_layers=n, num_attention_heads=h) for w, inner, n, h in (shape['vision'], shape['qformer'])]
        parts[1]['encoder_hidden_size'] = shape['vision'][0]
        config = Blip2Config(vision_config=parts[0], qformer_config=parts[1], text_config=text.to_dict(), num_query_tokens=32, image_token_index=50265)
        return self.seeded(lambda: Blip2ForConditionalGeneration(config))

# width, inner, layers, heads, and what the tower needs besides
TEXT = {'B/32': (512, 2048, 12, 8, 512), 'L/14': (768, 3072, 12, 12, 768), 'H/14': (1024, 4096, 24, 16, 1024), 'tiny': (64, 128, 2, 2, 32)}
IMAGE = {'B/32': (768, 3072, 12, 12, 32, 512), 'L/14': (1024, 4096, 24, 16, 14, 768), 'H/14': (1280, 5120, 32, 16, 14, 1024), 'tiny': (64, 128, 2, 2, 32, 32)}
OPT_2_7B = dict(vision=(1408, 6144, 39, 16), qformer=(768, 3072, 12, 12), text=(2560, 10240, 32, 32))
TINY = dict(vision=(64, 128, 2, 2), qformer=(48, 96, 2, 2), text=(64, 128, 2, 2))

def batches_of(lengths, most):
    """Batches (labels, tokens) of labels sorted by length; `lengths[n]` labels have n tokens. A batch is padded to its longest label."""
    order = [length for length, count in enumerate(lengths) for _ in range(count)]
    return [(len(part), part[-1]) for part in (order[at:at + most] for at in range(0, len(order), most))]

def _modules():
    """The modules, imported late, so that this file can be read without PyTorch."""
    import modules
    return modules
