"""The page: a table for each section, ours beside the rivals."""
import statistics

def rate(count, ms):
    """Things per second."""
    value = count / ms * 1e3
    return f'{value:,.0f}/s' if value >= 100 else f'{value:.3g}/s'

def scaled(row):
    """Milliseconds for all things, where only some were measured."""
    factor = row['of'] / row['count'] if row.get('of') else 1
    return [ms * factor for ms in row['ms']]

def duration(ms): return f'{ms / 1e3:.3g} s' if ms >= 1000 else f'{ms:.3g} ms'

def line(row):
    """A row in one line."""
    ms = statistics.median(scaled(row))
    return f'{row["what"]}, {row["side"]}: {duration(ms)}, {rate(row.get("of") or row["count"], ms)}'

def stream(row):
    """The time of the device: that of kernels for our programs, that of the stream for rivals."""
    if row.get('kernels'):
        found = row['kernels']
        return f'{duration(found["kernel_ms"])} in {found["launches"]:,.0f} kernels, copies {duration(found["copy_ms"])}'
    if row.get('stream_ms'):
        factor = row['of'] / row['count'] if row.get('of') else 1
        return f'stream {duration(statistics.median(row["stream_ms"]) * factor)}'
    return '-'

def notes(row, roofs):
    found = []
    if row.get('rows') and roofs:
        ms = statistics.median(row['ms'])
        found.append(f'{row["rows"] * row["dim"] * 2 / ms / 1e6 / roofs["read_gb_s"]:.0%} of reading')
        found.append(f'{2 * row["rows"] * row["dim"] * row["queries"] / ms / 1e9 / roofs["product_tflop_s"]:.0%} of multiplying')
    if 'equal' in row: found.append(f'equal to the CPU ({row["checked"]} checked)' if row['equal'] else '**DIFFERENT from the CPU**')
    if row.get('of'): found.append(f'from {row["count"]:,} of {row["of"]:,}')
    if row.get('tokenize_s') is not None: found.append(f'tokenizing {row["tokenize_s"]:.2g} s more')
    if row.get('load_s') is not None: found.append(f'load {row["load_s"]:.3g} s')
    return ', '.join(found + row.get('said', []))

def section(result, name):
    """The table of a section, as Markdown."""
    rows = [row for row in result['rows'] if row['section'] == name]
    failed = [f'- {name}: {entry["said"]}' for entry in result['failed'] if entry['section'] == name]
    if not rows: return '\n'.join(failed)
    best = {}
    for row in rows:
        if row['side'] != 'ours': best[row['what']] = min(best.get(row['what'], float('inf')), statistics.median(scaled(row)) / (row.get('of') or row['count']))
    lines = [f'## {name}', '', '| what | side | median (fastest) | per second | on the device | times the best rival | |', '|---|---|---|---|---|---|---|']
    for row in sorted(rows, key=lambda row: [other['what'] for other in rows].index(row['what'])):
        times = scaled(row); ms = statistics.median(times); count = row.get('of') or row['count']
        against = f'{best[row["what"]] / (ms / count):.2f}' if row['side'] == 'ours' and row['what'] in best else ''
        lines.append(f'| {row["what"]} | {row["side"]} | {duration(ms)} ({duration(min(times))}) | {rate(count, ms)} | {stream(row)} | {against} | {notes(row, result["roofs"])} |')
    return '\n'.join(lines + [''] * bool(failed) + failed)

def page(result):
    roofs = result['roofs']
    lines = [f'# Measured on {result["device"]}: {result["name"]}', '', f'{result["date"]}, `{result["command"]}`; our models in {result["precision"]}, PyTorch {result["torch"]}.', '']
    if result['quick']: lines += ['**A trial of the script over small inputs: no figure here says how fast anything is.**', '']
    if roofs: lines += [f'The device reads {roofs["read_gb_s"]:,.0f} GB/s and multiplies {roofs["product_tflop_s"]:.3g} TFLOP/s in {roofs["dtype"]}, by PyTorch.', '']
    lines += ['On the device: for ours the time in which a kernel ran, by CUPTI in a run of its own; for PyTorch the time between two events in the stream, '
              'which includes gaps in which the device waited for the host.', '']
    for name in dict.fromkeys([row['section'] for row in result['rows']] + [entry['section'] for entry in result['failed']]):
        lines += [section(result, name), '']
    most = [(row['what'], name, ms) for row in result['rows'] if row.get('kernels') for name, ms in row['kernels']['most'].items()]
    if most: lines += ['## kernels that take most', '', '| what | kernel | ms |', '|---|---|---|'] + [f'| {what} | `{name}` | {ms:.3g} |' for what, name, ms in most]
    return '\n'.join(lines).rstrip() + '\n'
