"""The figures as JSON, as a page, as a table for the README; the pictures are pictures.py's."""
import json, os

import pictures

def write(result, out):
    folder = os.path.join(out, 'race'); os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'race.json'), 'w') as file: json.dump(result, file, indent=1); file.write('\n')
    drawn = pictures.draw(result, folder)
    with open(os.path.join(out, 'RACE.md'), 'w') as file: file.write(whole(result, drawn))
    with open(os.path.join(folder, 'readme.md'), 'w') as file: file.write(brief(result))

def time(ms):
    if ms >= 60_000: return f'{ms / 60_000:.1f} min'
    if ms >= 1_000: return f'{ms / 1_000:.1f} s'
    return f'{ms:.0f} ms' if ms >= 100 else f'{ms:.1f} ms' if ms >= 10 else f'{ms:.2f} ms'

def number(value): return f'{value:,.0f}' if value >= 100 else f'{value:.1f}'

def size(value): return '' if value is None else f'{value / 1e6:,.0f} MB'

def rows_table(head, rows): return '\n'.join(['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)] + ['| ' + ' | '.join(map(str, row)) + ' |' for row in rows])

def setting(result):
    m, v = result['machine'], result['versions']
    lines = [f"{m['cores']} cores of {m['cpu']} ({', '.join(m['flags'])}), {m['memory_gib']} GiB, {m['system']}",
             ', '.join(f'{name} {version}' for name, version in v.items() if version),
             f"`{result['command']}`, {result['date']}" + (f", {result['minutes']} minutes" if 'minutes' in result else ', not finished'),
             f"checkpoint {result['checkpoint']}; load average when it began: {result['load']:.1f}" + (' (the machine was busy with other things: ratios alone)' if result['load'] > 1.5 else '')]
    for roof in result['roofs']:
        peaks = ', '.join(f"{roof[key] / 1e9:,.0f} GFLOP/s in {name}" for key, name in (('f32_flops', 'f32'), ('bf16_flops', 'bf16')) if key in roof)
        plural = '' if roof['threads'] == 1 else 's'
        lines.append(f"roofs on {roof['threads']} thread{plural}: {roof['read_bytes_per_s'] / 1e9:.1f} GB/s read, {peaks} (vector units)")
    missing = [name for name, version in v.items() if version is None]
    if missing: lines.append(f"not installed, left out: {', '.join(missing)}")
    return '\n'.join(f'- {line}' for line in lines)

def section(part):
    extra = [(key, title, show) for key, title, show in (('recall', 'found', lambda r: f'{r:.4f}'), ('peak', 'peak memory', size), ('anon', 'of it its own', size)) if any(key in row for row in part['rows'])]
    head = ['', 'median', 'fastest', f"{part['rows'][0]['unit']}/s", 'ours is faster by', 'runs'] + [title for _, title, _ in extra]
    def cells(row):
        name = f"**{row['side']}**" if row['ours'] else row['side']
        ratio = '' if row['ratio'] == 1 else f"{row['ratio']:.2f}" if row['ratio'] < 10 else f"{row['ratio']:.0f}"
        return [name, time(row['ms']), time(row['best_ms']), number(row['per_second']), ratio, row['runs']] + [show(row[key]) if key in row else '' for key, _, show in extra]
    return f"### {part['title']}\n\n{part['note']}\n\n{rows_table(head, [cells(row) for row in part['rows']])}\n"

def curve(name, points):
    if name == 'labels':
        head = ['labels', 'precision', 'threads', 'time', 'labels/s', 'GFLOP/s', 'peak memory', 'of it its own']
        rows = [[f"{p['labels']:,}", p['precision'], p['threads'], time(p['seconds'] * 1e3), number(p['labels_per_s']), number(p['flops'] / 1e9), size(p['peak']), size(p['anon'])] for p in points]
    else:
        head = ['rows', 'images', 'side', 'threads', 'time', 'GB/s', 'GFLOP/s', 'memory of its own']
        rows = [[f"{p['rows']:,}", p['images'], p['side'], p['threads'], time(p['ms']), f"{p['bytes_per_s'] / 1e9:.1f}", number(p['flops'] / 1e9), size(p['anon'])] for p in points]
    return rows_table(head, rows)

HEADS = dict(
    rows='### More rows\n\nOne image and 64, k = 3, rows as models make them. Bytes are those that one pass over the rows reads: codes of 8 bits here, f32 in PyTorch, f16 in FAISS; what lies in the caches still may pass the roof.',
    images='### More images\n\nk = 3, one pass for 64 images.',
    labels='### More labels\n\n`build-index` from nothing, the whole process. Operations are those of the dense products when every prefix is computed once.')

def whole(result, drawn):
    parts = ['# The race\n', 'Written by `benches/race/race.py`; not by hand. All sides took turns on one machine in one run: ours, a rival, ours, the next. Medians; "ours is faster by" sets the first line of a table against each other one, by what is done a second. Compare within this page alone.\n']
    if result['quick']: parts.append('**A quick run over a little of everything: it shows that the script works. None of its figures says how fast anything is.**\n')
    parts += [setting(result) + '\n', '## Sections\n'] + [section(part) for part in result['sections']]
    if result['curves']: parts.append('## Curves\n')
    for name, points in result['curves'].items():
        parts.append(HEADS[name] + '\n')
        if name in drawn: parts.append(f'![{name}](race/{drawn[name]})\n')
        parts.append(curve(name, points) + '\n')
    return '\n'.join(parts)

def brief(result):
    """A line a section: ours, and each rival with how many times ours is faster."""
    rows = []
    for part in result['sections']:
        own = [row for row in part['rows'] if row['ours']]
        rate = part['rows'][0]['unit'] in ('labels', 'candidates')
        show = (lambda row: f"{number(row['per_second'])} {row['unit']}/s") if rate else (lambda row: time(row['ms']))
        rivals = [f"{row['side']}: {show(row)} ({row['ratio']:.1f} x)" for row in part['rows'] if not row['ours']]
        rows.append([part['title'], '; '.join(f"{show(row)}" + (f" ({row['side'].split()[-1]})" if len(own) > 1 else '') for row in own), '; '.join(rivals)])
    return f"Measured in one run, all sides in turns:\n\n{setting(result)}\n\n{rows_table(['', 'interrogate', 'beside it'], rows)}\n"
