"""The curves as PNG: what is measured as lines, what the machine gives at most as dashes."""
import os

OURS = {1: '#7fb3d5', 2: '#1b4f72'}
RIVALS = {'PyTorch f32': '#c0392b', 'FAISS fp16': '#b9770e'}
KINDS = {'f32': '#1b4f72', 'bf16': '#117864'}

def draw(result, folder):
    """Draws what has been measured; name -> file. None without matplotlib."""
    try: import matplotlib
    except ImportError: return {}
    matplotlib.use('Agg')
    matplotlib.rcParams.update({'font.size': 9, 'axes.spines.top': False, 'axes.spines.right': False,
                                'axes.grid': True, 'grid.alpha': 0.25, 'legend.frameon': False, 'lines.marker': 'o', 'lines.markersize': 3.5})
    drawn = {}
    for name, picture in (('rows', rows), ('images', images), ('labels', labels)):
        if not result['curves'].get(name): continue
        figure = picture(result['curves'][name], {roof['threads']: roof for roof in result['roofs']})
        figure.savefig(os.path.join(folder, f'{name}.png'), dpi=110, metadata={'Software': None}, bbox_inches='tight'); drawn[name] = f'{name}.png'
    return drawn

def panels(count):
    from matplotlib.figure import Figure
    figure = Figure(figsize=(3.7 * count, 3.6), layout='constrained')
    return figure, figure.subplots(1, count)

def finish(figure):
    """One legend for all panels, below them, each line in it once."""
    found = {}
    for axis in figure.axes: found |= {text: line for line, text in zip(*axis.get_legend_handles_labels()) if text not in found}
    figure.legend(found.values(), found.keys(), loc='outside lower center', ncols=min(4, len(found)), fontsize=8)
    return figure

def label(axis, title, x, y): axis.set_title(title, loc='left', fontsize=10); axis.set_xlabel(x); axis.set_ylabel(y)

def short(value, _=None):
    """A number as people write it on an axis."""
    for size, letter in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
        if value >= size: return f'{value / size:g}{letter}'
    return f'{value:g}'

def scale(axis, x, y):
    """Each axis 'log', 'log2' or 'linear' from nothing."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
    for part, kind, name in ((axis.xaxis, x, 'x'), (axis.yaxis, y, 'y')):
        if kind == 'linear': getattr(axis, f'set_{name}lim')(0)
        else:
            getattr(axis, f'set_{name}scale')('log', base=2 if kind == 'log2' else 10)
            low, high = getattr(axis, f'get_{name}lim')()
            # Between two powers of ten there is not always one: then 2 and 5 get a number, too.
            if kind == 'log' and high / low < 300: part.set_major_locator(LogLocator(subs=(1, 2, 5)))
        part.set_major_formatter(FuncFormatter(short)); part.set_minor_formatter(NullFormatter())

def threads(count): return f'{count} thread' + ('' if count == 1 else 's')

def lines_of(points, x, y):
    """(side, threads) -> the line of each."""
    found = {}
    for point in points: found.setdefault((point['side'], point['threads']), []).append((point[x], point[y]))
    return {key: tuple(zip(*sorted(line))) for key, line in found.items()}

def style(side, count):
    if side == 'interrogate': return dict(color=OURS.get(count, '#1b4f72'), label=f'interrogate, {threads(count)}', zorder=3)
    return dict(color=RIVALS[side], label=f'{side}, {threads(count)}', linewidth=1.2)

def roof(axis, value, color, text): axis.axhline(value, color=color, linestyle='--', linewidth=1, marker='', label=text)

def rows(points, roofs):
    figure, (one, many, speed) = panels(3)
    for axis, images, title in ((one, 1, '1 image'), (many, 64, '64 images')):
        for key, (x, y) in lines_of([p for p in points if p['images'] == images], 'rows', 'ms').items(): axis.plot(x, y, **style(*key))
        scale(axis, 'log', 'log'); label(axis, title, 'rows of 512 values', 'milliseconds')
    for key, (x, y) in lines_of([p for p in points if p['images'] == 1], 'rows', 'bytes_per_s').items(): speed.plot(x, [value / 1e9 for value in y], **style(*key))
    for count, found in roofs.items(): roof(speed, found['read_bytes_per_s'] / 1e9, OURS.get(count, '#1b4f72'), f'memory, {threads(count)}')
    scale(speed, 'log', 'linear'); label(speed, 'read, 1 image', 'rows of 512 values', 'GB/s')
    return finish(figure)

def images(points, roofs):
    figure, (time, speed) = panels(2)
    for key, (x, y) in lines_of(points, 'images', 'ms').items(): time.plot(x, [ms / n for ms, n in zip(y, x)], **style(*key))
    for key, (x, y) in lines_of(points, 'images', 'flops').items(): speed.plot(x, [value / 1e9 for value in y], **style(*key))
    for count, found in roofs.items():
        if 'f32_flops' in found: roof(speed, found['f32_flops'] / 1e9, OURS.get(count, '#1b4f72'), f'f32 peak, {threads(count)}')
    for axis in (time, speed): scale(axis, 'log2', 'log')
    label(time, f"{points[0]['rows']:,} rows: time an image", 'images at once', 'milliseconds'); label(speed, 'products', 'images at once', 'GFLOP/s')
    return finish(figure)

def labels(points, roofs):
    figure, (rate, speed, memory) = panels(3)
    most = max(p['threads'] for p in points)
    for precision, color in KINDS.items():
        for count in sorted({p['threads'] for p in points}):
            line = sorted((p for p in points if p['precision'] == precision and p['threads'] == count), key=lambda p: p['labels'])
            if not line: continue
            look = dict(color=color, label=f'{precision}, {threads(count)}', linestyle='-' if count == most else ':')
            x = [p['labels'] for p in line]
            rate.plot(x, [p['labels_per_s'] for p in line], **look); speed.plot(x, [p['flops'] / 1e9 for p in line], **look)
            if count < most: continue
            memory.plot(x, [p['peak'] / 1e6 for p in line], color=color, label=f'{precision}, all resident', marker='s')
            memory.plot(x, [p['anon'] / 1e6 for p in line], color=color, label=f'{precision}, of it its own', marker='s', linestyle='-.')
    top = roofs[max(roofs)]
    for key, precision in (('f32_flops', 'f32'), ('bf16_flops', 'bf16')):
        if key in top: roof(speed, top[key] / 1e9, KINDS[precision], f'{precision} peak, {threads(max(roofs))}')
    for axis, kind in ((rate, 'linear'), (speed, 'log'), (memory, 'linear')): scale(axis, 'log', kind)
    label(rate, 'build-index from nothing', 'labels', 'labels a second'); label(speed, 'dense products', 'labels', 'GFLOP/s'); label(memory, 'memory', 'labels', 'MB')
    return finish(figure)
