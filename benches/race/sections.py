"""What is raced: whole dictionaries, a chain's step, ranking, image features. Each gives its rows and says what was checked."""
import os
import numpy as np
from ours import build_index
from rivals import Towers, rankers, rows_of
import runtimes
from turns import alternate, clock, table

PROMPT = 'a photo of a cat sitting on a wooden table next to a window'  # 14 words: 15 tokens with the start, 16 with the end
SEED = 0

def lines(path): return [line.strip() for line in open(path, encoding='utf-8', errors='replace')]

def spread(labels, count):
    """`count` labels from everywhere in a list."""
    return [labels[at * len(labels) // count] for at in range(min(count, len(labels)))]

PRECISIONS = ('f32', 'bf16', 'q8')

def left_out(missing): return ''.join(f' Left out: {name}.' for name in missing)

def cosine(a, b): return float(np.min(np.sum(a * b, axis=1)))

def encode(race):
    """Whole dictionaries: `build-index` from nothing to a finished index, against PyTorch on a sample of the same labels."""
    size, sample = race.size, spread(race.labels, race.size.sample)
    path = race.file('sample.txt', '\n'.join(sample))
    measured = {}
    def ours(precision):
        def turn():
            built = build_index(race.build_index, race.dicts, race.checkpoint, precision, race.path('index'))
            measured.setdefault(precision, []).append(built)
            return [built['seconds'] * 1e3]
        return turn
    own = {f'interrogate {precision}': ours(precision) for precision in PRECISIONS}
    towers = {dtype: Towers(race.checkpoint, dtype) for dtype in ('f32', 'bf16')}
    wide = spread(race.labels, size.sample * 4)
    rivals = {"clip-interrogator's way (padded to 77)": lambda: clock(lambda: towers['f32'].padded(sample), 0, 1),
              'the same in bf16': lambda: clock(lambda: towers['bf16'].padded(sample), 0, 1),
              'PyTorch f32, sorted by length': lambda: clock(lambda: towers['f32'].cut(wide), 0, 1),
              'PyTorch bf16, sorted by length': lambda: clock(lambda: towers['bf16'].cut(wide), 0, 1)}
    compiled, missing = runtimes.towers(race.checkpoint)
    rivals |= {f'{name}, sorted by length': (lambda tower=tower: clock(lambda: tower.cut(wide), 0, 1)) for name, tower in compiled.items()}
    for tower in [*towers.values(), *compiled.values()]: tower.cut(sample[:32])
    spent = alternate(own, rivals, size.rounds_long, interleave=True)
    labels = measured['f32'][0]['labels']
    work = {name: labels for name in own} | {name: len(wide if 'sorted' in name else sample) for name in rivals}
    memory = {f'interrogate {precision}': dict(peak=max(b['peak'] for b in built), anon=max(b['anon'] for b in built))
              for precision, built in measured.items()}
    checked = check_rows(race, towers['f32'], sample, path)
    note = f'{labels:,} labels by build-index, the whole process; rivals on {len(sample):,} of them (sorted by length: {len(wide):,}), tokenizing included, scaled by label. {checked}' + left_out(missing)
    return [dict(title='Whole dictionaries', note=note, rows=table(spent, own, work, 'labels', **memory))]

def check_rows(race, towers, sample, path):
    """That both sides compute the same thing."""
    theirs, said = towers.padded(sample).numpy(), []
    for precision in PRECISIONS:
        race.ours.ask('text', checkpoint=race.checkpoint, precision=precision)
        race.ours.ask('encode', labels=path, runs=1, out=race.path('rows.f32'))
        rows = np.fromfile(race.path('rows.f32'), np.float32).reshape(theirs.shape)
        said.append(f'{precision} {cosine(rows, theirs):.6f}')
    return f"Least cosine of our rows with PyTorch's in f32: {', '.join(said)}."

def chain(race):
    """One step of best mode: candidates behind a prompt, scored against an image."""
    size, ours = race.size, race.ours
    phrases = spread(race.labels, size.candidates); sample = spread(phrases, size.chain_sample)
    path, sections = race.file('phrases.txt', '\n'.join(phrases)), []
    for precision in ('f32', 'bf16'):
        dim = ours.ask('text', checkpoint=race.checkpoint, precision=precision)['dim']
        probe = np.random.default_rng(SEED).standard_normal(dim).astype(np.float32)
        probe.tofile(race.path('features.f32')); probe /= np.linalg.norm(probe)
        towers = Towers(race.checkpoint, precision)
        def step(texts, encode): return encode([f'{PROMPT}, {text}' for text in texts]) @ towers.torch.from_numpy(probe)
        def turn(runs=1, **more): return ours.ask('chain', prompt=PROMPT, phrases=path, features=race.path('features.f32'), runs=runs, **more)
        own = {f'interrogate {precision}': lambda: turn()['ms']}
        way = f"clip-interrogator's way ({precision}, padded to 77)"
        rivals = {way: lambda: clock(lambda: step(sample, towers.padded), 0, 1),
                  f'PyTorch {precision}, sorted by length': lambda: clock(lambda: step(sample, towers.cut), 0, 1)}
        turn(); step(sample[:8], towers.padded)
        spent = alternate(own, rivals, size.rounds)
        told = turn(out=race.path('scores.f32'))
        scores = np.fromfile(race.path('scores.f32'), np.float32)
        apart = np.abs(scores[[phrases.index(text) for text in sample]] - step(sample, towers.padded).numpy()).max()
        note = f'{len(phrases):,} candidates behind a prompt of {told["prompt_tokens"]} tokens; rivals on {len(sample)} of them, scaled. Scores differ by {apart:.1e} at most.'
        work = {name: len(phrases) for name in own} | {name: len(sample) for name in rivals}
        sections.append(dict(title=f"A chain's step, {precision}", note=note, rows=table(spent, own, work, 'candidates')))
    return sections

def rank(race):
    """Ranking: k = 3 of one table, k = 2,048 of both; random rows, and rows as models make them."""
    size, ours, sections = race.size, race.ours, []
    for kind in ('random', 'anisotropic'):
        folder = race.path(f'rows-{kind}')
        tables = [['flavors', size.rows], ['others', size.rows * 10_897 // 100_970]]
        ours.ask('table', folder=folder, kind=kind, dim=512, tables=tables, queries=64)
        queries = np.fromfile(f'{folder}/queries.f32', np.float32).reshape(64, 512)
        for names, shapes in ((['flavors'], [(1, 3), (64, 3)]), (['flavors', 'others'], [(1, min(2048, size.rows))])):
            half = rows_of(folder, names)
            found, missing = rankers(half)
            exact = queries @ half.astype(np.float32).T
            for count, k in shapes:
                own = {'interrogate': lambda: ours.ask('rank', tables=names, queries=count, k=k, runs=size.runs)['ms']}
                few = {name: rival for name, rival in found.items() if count == 1 or 'clip-interrogator' not in name}
                rivals = {name: (lambda rival=rival: clock(lambda: rival(queries[:count], k), 1, 2 if 'clip-int' in name else size.runs)) for name, rival in few.items()}
                spent = alternate(own, rivals, size.rounds)
                answers = {'interrogate': ours.ask('rank', tables=names, queries=count, k=k, runs=1, tell=True)['rows']}
                answers |= {name: rival(queries[:count], k) for name, rival in few.items()}
                recall = {name: dict(recall=recall_of(exact[:count], answer, k)) for name, answer in answers.items()}
                images = '1 image' if count == 1 else f'{count} images'
                note = f'{len(half):,} x 512 f16 rows, {kind}, {images}, k = {k:,}. Found: the share of the true first k.' + left_out(missing)
                sections.append(dict(title=f'Ranking {images}, k = {k:,}, {kind} rows', note=note, rows=table(spent, own, count, 'images', **recall)))
    return sections

def recall_of(exact, answers, k):
    """The share of answers whose score reaches the k-th best: a tie is as good as the other."""
    share = []
    for scores, rows in zip(exact, answers):
        floor = np.partition(scores, -k)[-k]
        share.append(float(np.mean(scores[np.asarray(list(rows))] >= floor - 1e-6)))
    return sum(share) / len(share)

def images(race):
    """Image features of pixels that are prepared already."""
    size, sections = race.size, []
    compiled, missing = runtimes.towers(race.checkpoint)
    for batch in (1, 8):
        for precision in PRECISIONS:
            side = race.ours.ask('image', checkpoint=race.checkpoint, precision=precision)['image_size']
            pixels = np.random.default_rng(SEED).standard_normal((batch, 3, side, side)).astype(np.float32)
            pixels.tofile(race.path('pixels.f32'))
            near_to = 'f32' if precision == 'q8' else precision  # PyTorch has no 8 bits: q8 races f32 there
            bits = 'int8' if precision == 'q8' else precision
            towers = Towers(race.checkpoint, near_to)
            name = f'interrogate {precision}'
            own = {name: lambda: race.ours.ask('embed', pixels=race.path('pixels.f32'), runs=size.runs)['ms']}
            rivals = {f'PyTorch {near_to}': lambda: clock(lambda: towers.features(pixels), 1, size.runs)}
            rivals |= {rival: (lambda tower=tower: clock(lambda: tower.features(pixels), 1, size.runs)) for rival, tower in compiled.items() if rival.endswith(bits)}
            spent = alternate(own, rivals, size.rounds)
            race.ours.ask('embed', pixels=race.path('pixels.f32'), runs=1, out=race.path('rows.f32'))
            theirs = towers.features(pixels).numpy()
            near = cosine(np.fromfile(race.path('rows.f32'), np.float32).reshape(theirs.shape), theirs)
            others = [f'{rival} {cosine(tower.features(pixels).numpy(), theirs):.6f}' for rival, tower in compiled.items() if rival in rivals]
            note = f"Pixels prepared already. Least cosine to PyTorch's {near_to}: interrogate {near:.6f}, {', '.join(others)}." + left_out(missing)
            plural = '' if batch == 1 else 's'
            sections.append(dict(title=f'Features of {batch} image{plural}, {precision}', note=note, rows=table(spent, own, batch, 'images')))
    return sections

SECTIONS = dict(encode=encode, chain=chain, rank=rank, images=images)
