"""How time and memory grow: with rows, with images, with labels, on one thread and on all."""
import json, os, shutil, statistics
import numpy as np
from ours import Ours, build_index
from rivals import rankers, rows_of, threads
from sections import lines
from turns import alternate, clock

DIM = 512
# What one pass reads of a row: codes with scale and slack; f32; f16.
ROW_BYTES = {'interrogate': DIM + 8, 'PyTorch f32': 4 * DIM, 'FAISS fp16': 2 * DIM}

def steps(first, last, ratios=(1, 3)):
    """1, 3, 10, 30 ... of `first` up to `last`."""
    at, found = first, []
    while at <= last:
        found += [at * ratio for ratio in ratios if at * ratio <= last]; at *= 10
    return found

def ranked(race, folder, rows, counts, rivals_to):
    """Milliseconds for each count of images and of threads over one index; rivals on all threads, in turns with ours."""
    points, few = [], {}
    if rows <= rivals_to:
        few, _ = rankers(rows_of(folder, ['rows']), ('PyTorch f32', 'FAISS fp16'))
    for count in race.threads:
        ours = Ours(race.program, count); threads(count); ours.ask('open', folder=folder)
        queries = np.fromfile(f'{folder}/queries.f32', np.float32).reshape(-1, DIM)
        for images in counts:
            own = {'interrogate': lambda: ours.ask('rank', tables=['rows'], queries=images, k=3, runs=race.size.runs)['ms']}
            beside = {name: (lambda rival=rival: clock(lambda: rival(queries[:images], 3), 1, race.size.runs)) for name, rival in few.items()}
            spent = alternate(own, beside if count == max(race.threads) else {}, race.size.rounds)
            anon = ours.ask('memory')['anon']
            for name, values in spent.items():
                ms = statistics.median(values)
                points.append(dict(side=name, threads=count, rows=rows, images=images, ms=ms, anon=anon if name == 'interrogate' else None,
                                   bytes_per_s=rows * ROW_BYTES[name] / ms * 1e3, flops=2 * rows * DIM * images / ms * 1e3))
        ours.close()
    threads(max(race.threads))
    return points

def make_rows(race, rows, queries):
    folder = race.path('curve-rows'); shutil.rmtree(folder, ignore_errors=True)
    maker = Ours(race.program, max(race.threads))
    maker.ask('table', folder=folder, kind='anisotropic', dim=DIM, tables=[['rows', rows]], queries=queries)
    maker.close()
    return folder

def over_rows(race):
    points = []
    for rows in steps(10_000, race.rows_to):
        race.say(f'rows: {rows:,}')
        points += ranked(race, make_rows(race, rows, 64), rows, (1, 64), race.size.rivals_to)
    return points

def over_images(race):
    counts = [1 << power for power in range(9)]
    return ranked(race, make_rows(race, race.size.rows, 256), race.size.rows, counts, race.size.rivals_to)

def over_labels(race):
    """Dictionaries cut short, or joined two by two where there are not enough labels."""
    points, labels = [], race.labels
    for count in steps(1_000, race.labels_to):
        folder = race.path('curve-dicts'); os.makedirs(folder, exist_ok=True)
        some = labels[:count] + [f'{labels[at % len(labels)]}, {labels[at * 7919 % len(labels)]}' for at in range(max(0, count - len(labels)))]
        with open(f'{folder}/labels.txt', 'w') as out: out.write('\n'.join(some))
        work = operations(race.checkpoint, some)
        for precision in ('f32', 'bf16'):
            if precision == 'f32' and count > race.size.f32_to: continue
            for number in race.threads:
                if number != max(race.threads) and count > race.size.one_thread_to: continue
                race.say(f'labels: {count:,} in {precision} on {number}')
                built = build_index(race.build_index, [f'{folder}/labels.txt'], race.checkpoint, precision, race.path('index'), number)
                points.append(dict(precision=precision, threads=number, seconds=built['seconds'], labels=built['labels'], peak=built['peak'], anon=built['anon'],
                                   labels_per_s=built['labels'] / built['seconds'], flops=work / built['seconds']))
    return points

def operations(checkpoint, labels):
    """What the dense products of the text tower come to when every prefix is computed once: two operations a weight and
    node, and in the last layer keys and values alone for nodes that end no label. Attention is left out (a few percent)."""
    from transformers import CLIPTokenizerFast
    config = json.load(open(f'{checkpoint}/config.json'))['text_config']
    width, layers = config.get('hidden_size', 512), config.get('num_hidden_layers', 12)
    inner = config.get('intermediate_size', 2048)
    ids = sorted(CLIPTokenizerFast.from_pretrained(checkpoint)(labels, truncation=True, max_length=77).input_ids)
    nodes, before = 0, []
    for sequence in ids:
        same = 0
        while same < len(sequence) and same < len(before) and sequence[same] == before[same]: same += 1
        nodes += len(sequence) - same; before = sequence
    layer = 4 * width * width + 2 * width * inner
    return 2 * (nodes * layer * (layers - 1) + nodes * 2 * width * width + len(ids) * (layer - 2 * width * width))

CURVES = dict(rows=over_rows, images=over_images, labels=over_labels)
