"""CLIP's towers and BLIP-2 in plain PyTorch: pre-norm transformers with SDPA, and a decoder with a KV cache of fixed size."""
import torch
from torch import nn
from torch.nn import functional as F

def heads_of(x, heads): return x.unflatten(-1, (heads, -1)).transpose(1, 2)

class Layer(nn.Module):
    """A pre-norm layer; `kv` is a cache of keys and values, (2, batch, heads, tokens, head), of which `at` tokens are written."""
    def __init__(self, width, inner, heads, activation=F.gelu, causal=False, source=None):
        super().__init__()
        self.heads, self.activation, self.causal = heads, activation, causal
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, inner), nn.Linear(inner, width)
        if source: self.norm3, self.q, self.kv, self.out2 = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(source, 2 * width), nn.Linear(width, width)

    def forward(self, x, cache=None, places=None, mask=None, source=None):
        q, k, v = (heads_of(part, self.heads) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        if cache is not None:
            cache[0].index_copy_(2, places, k); cache[1].index_copy_(2, places, v); k, v = cache[0], cache[1]
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal and cache is None).transpose(1, 2).flatten(2))
        if source is not None:
            k, v = (heads_of(part, self.heads) for part in self.kv(source).chunk(2, -1))
            x = x + self.out2(F.scaled_dot_product_attention(heads_of(self.q(self.norm3(x)), self.heads), k, v).transpose(1, 2).flatten(2))
        return x + self.down(self.activation(self.up(self.norm2(x))))

class Layers(nn.Module):
    """Layers that can be compiled one by one: all have one code, so that it is compiled once for each shape."""
    def compile_layers(self):
        for layer in self.modules():
            if isinstance(layer, Layer): layer.compile()

class TextTower(Layers):
    def __init__(self, width, inner, layers, heads, dim):
        super().__init__()
        self.embed, self.places = nn.Embedding(49408, width), nn.Parameter(torch.randn(77, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, inner, heads, causal=True) for _ in range(layers))
        self.norm, self.project = nn.LayerNorm(width), nn.Linear(width, dim, bias=False)

    def forward(self, ids, ends):
        x = self.embed(ids) + self.places[:ids.shape[1]]
        for layer in self.layers: x = layer(x)
        return F.normalize(self.project(self.norm(x[torch.arange(len(ids), device=x.device), ends])).float(), dim=-1)

class ImageTower(Layers):
    """`dim` 0: all states, unprojected."""
    def __init__(self, width, inner, layers, heads, patch, dim, side=224):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.cls, self.places = nn.Parameter(torch.randn(width) * 0.02), nn.Parameter(torch.randn((side // patch)**2 + 1, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, inner, heads) for _ in range(layers))
        self.first, self.norm, self.project = nn.LayerNorm(width), nn.LayerNorm(width), nn.Linear(width, dim, bias=False) if dim else None

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = self.first(torch.cat([self.cls.expand(len(x), 1, -1), x], 1) + self.places)
        for layer in self.layers: x = layer(x)
        if self.project is None: return self.norm(x)
        return F.normalize(self.project(self.norm(x[:, 0])).float(), dim=-1)

class Blip2(Layers):
    """Image tower, Q-Former, OPT; greedy and beam search over a cache of fixed size."""
    QUERIES, VOCAB = 32, 50272
    def __init__(self, vision, qformer, text):
        super().__init__()
        self.tower = ImageTower(*vision, 14, 0)
        w, inner, layers, heads = qformer
        self.queries = nn.Parameter(torch.randn(self.QUERIES, w) * 0.02)
        self.qformer = nn.ModuleList(Layer(w, inner, heads, source=vision[0] if i % 2 == 0 else None) for i in range(layers))
        width, inner, layers, self.heads = text
        self.project, self.embed = nn.Linear(w, width), nn.Embedding(self.VOCAB, width)
        self.places = nn.Parameter(torch.randn(2050, width) * 0.02)
        self.layers, self.norm = nn.ModuleList(Layer(width, inner, self.heads, F.relu) for _ in range(layers)), nn.LayerNorm(width)

    def step(self, x, caches, places, mask):
        for layer, cache in zip(self.layers, caches): x = layer(x, cache, places, mask)
        return (self.norm(x[:, -1]) @ self.embed.weight.T).float()

    def caption(self, pixels, tokens, beams):
        """Token ids (images, tokens)."""
        device, images = pixels.device, len(pixels)
        states, x = self.tower(pixels), self.queries.expand(images, -1, -1)
        for i, layer in enumerate(self.qformer): x = layer(x, source=states if i % 2 == 0 else None)
        x = torch.cat([self.project(x), self.embed(torch.full((images, 1), 2, device=device))], 1)
        prompt = x.shape[1]; most = prompt + tokens; width = x.shape[2]
        caches = [torch.zeros(2, images, self.heads, most, width // self.heads, device=device, dtype=x.dtype) for _ in self.layers]
        all_places = torch.arange(most, device=device)
        logits = self.step(x + self.places[:prompt], caches, all_places[:prompt], all_places <= all_places[:prompt, None])
        scores = torch.log_softmax(logits, -1)
        best, ids = scores.topk(beams, -1)  # all beams are equal before the first token
        caches = [cache.repeat_interleave(beams, 1) for cache in caches]
        sums, found = best, ids[..., None]
        first = torch.arange(images, device=device)[:, None] * beams
        for at in range(prompt, most - 1):
            x = self.embed(found[..., -1].flatten())[:, None] + self.places[at]
            scores = torch.log_softmax(self.step(x, caches, all_places[at:at + 1], (all_places <= at)[None]), -1)
            sums, picks = (sums[..., None] + scores.unflatten(0, (images, beams))).flatten(1).topk(beams, -1)
            parents = picks // self.VOCAB
            found = torch.cat([found.gather(1, parents[..., None].expand(-1, -1, found.shape[-1])), (picks % self.VOCAB)[..., None]], -1)
            if beams > 1:
                order = (first + parents).flatten()
                for cache in caches: cache.copy_(cache.index_select(1, order))
        return found[:, 0]
