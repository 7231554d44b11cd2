#!/usr/bin/env python3
"""Measures this project on a device, beside PyTorch and beside what the device reads and multiplies at most, in one run.

  pip install torch
  gpu.py --device cuda -o docs/runs/DATE-gpu --models CLIP-B32 CLIP-L14 CLIP-H14 --captioner BLIP2
  gpu.py --device cpu --quick -o /tmp/x      whether the script works: a little of everything, on the processor

Ranks k = 3 of --rows rows for --queries queries (our answers are held against the processor's, bit for bit), builds the
dictionaries with each model, and captions the photos. Needs the binaries: cargo build --release --features cuda --examples
--bins, or --programs DIR where those of another machine lie (docs/GPU.md). Writes gpu.json, and gpu.md with its tables."""
import argparse, datetime, json, os, platform, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

def say(text): print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)

def run(command):
    """A program's stdout, or what it said on stderr where it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.stdout if done.returncode == 0 else None, done.stderr.strip().splitlines()

class Torch:
    """The rival, and the roofs."""
    def __init__(self, device, dim):
        import torch
        self.torch, self.dim = torch, dim
        self.device = torch.device('cuda:0' if device.startswith('cuda') else 'mps' if device == 'metal' else 'cpu')
        self.half = torch.float32 if self.device.type == 'cpu' else torch.float16  # halves crawl on a processor
        self.name = torch.cuda.get_device_name(self.device) if self.device.type == 'cuda' else platform.processor() or platform.machine()

    def wait(self):
        if self.device.type == 'cuda': self.torch.cuda.synchronize()
        if self.device.type == 'mps': self.torch.mps.synchronize()

    def time(self, work, runs):
        work(); self.wait(); times = []
        for _ in range(runs):
            start = time.perf_counter(); work(); self.wait(); times.append((time.perf_counter() - start) * 1e3)
        return times

    def roofs(self, quick):
        """GB/s of reading a large vector once, TFLOP/s of a square product in the type that rankings use."""
        torch, values, side = self.torch, (1 << 22 if quick else 1 << 30), (512 if quick else 8192)
        vector = torch.ones(values, device=self.device, dtype=self.half)
        read = min(self.time(lambda: torch.sum(vector, dtype=torch.float32), 5)); del vector
        a, b = (torch.randn(side, side, device=self.device, dtype=self.half) for _ in range(2))
        product = min(self.time(lambda: a @ b, 5))
        size = torch.tensor([], dtype=self.half).element_size()
        return dict(read_gb_s=values * size / read / 1e6, product_tflop_s=2 * side**3 / product / 1e9, dtype=str(self.half).split('.')[1])

    def table(self, rows):
        return self.torch.nn.functional.normalize(self.torch.randn(rows, self.dim, device=self.device, dtype=self.half), dim=1)

    def rank(self, table, queries, k, runs):
        """matmul + topk over as many rows at once as a quarter of the memory holds scores of, then topk of those."""
        torch, rows = self.torch, table.shape[0]
        ask = torch.nn.functional.normalize(torch.randn(queries, self.dim, device=self.device, dtype=self.half), dim=1)
        free = torch.cuda.mem_get_info(self.device)[0] if self.device.type == 'cuda' else 4 << 30
        step = max(1 << 14, min(rows, free // 4 // (queries * table.element_size())))
        def work():
            parts = [(ask @ table[at:at + step].T).topk(min(k, rows - at), dim=1) for at in range(0, rows, step)]
            scores, places = torch.cat([p.values for p in parts], 1), torch.cat([p.indices + at for at, p in zip(range(0, rows, step), parts)], 1)
            best = scores.topk(k, dim=1)
            return best.values.cpu(), places.gather(1, best.indices).cpu()
        return self.time(work, runs)

def ranking(args, torch, result):
    for rows in args.rows:
        say(f'ranking over {rows} rows')
        runs = 3 if args.quick else 10
        command = [os.path.join(args.programs, 'examples', 'device'), args.device, *map(str, (rows, args.dim, args.k, runs, *args.queries))]
        out, said = run(command)
        entry = dict(rows=rows, ours=json.loads(out) if out else None, said=said if not out else None, torch=[])
        try:
            table = torch.table(rows)
            entry['torch'] = [dict(queries=q, ms=torch.rank(table, q, args.k, runs)) for q in args.queries]; del table
        except Exception as error:  # out of memory, as like as not: told, and the others go on
            entry['torch_said'] = f'{type(error).__name__}: {error}'.splitlines()[0]
        result['ranking'].append(entry); write(args, result)

def builds(args, result):
    dicts = args.dicts or [os.path.join(ROOT, 'dicts')]
    for model in args.models:
        say(f'dictionaries with {model}')
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            done, said = run([os.path.join(args.programs, 'build-index'), *dicts, '-o', out, '--model', model, '--device', args.device])
            result['builds'].append(dict(model=os.path.basename(model.rstrip('/')), seconds=round(time.perf_counter() - start, 2) if done is not None else None,
                                         said=said[-3:]))
        write(args, result)

def captions(args, result):
    photos = os.path.join(ROOT, 'tests', 'fixtures', 'photos')
    for beams in (1, 5) if args.captioner else ():
        say(f'captions, {beams} beams')
        precision = 'f32' if args.device == 'cpu' else 'f16'
        done, said = run([os.path.join(args.programs, 'interrogate'), 'caption', photos, '--caption-model', args.captioner, '--device', args.device,
                          '--num-beams', str(beams), '--caption-precision', precision, '--min-length', '20'])
        rate = next((line for line in reversed(said) if 'tokens' in line), None)
        result['captions'].append(dict(model=os.path.basename(args.captioner.rstrip('/')), beams=beams, precision=precision, done=done is not None,
                                       rate=rate, said=said[-2:]))
        write(args, result)

def page(result):
    """The tables."""
    roofs, lines = result['roofs'], []
    lines += [f'# Measured on {result["device"]}: {result["name"]}', '', f'{result["date"]}, `{result["command"]}`; medians, in brackets the fastest run.', '']
    if result['quick']: lines += ['**A trial of the script over a little of everything: no figure here says how fast anything is.**', '']
    lines += [f'The device reads {roofs["read_gb_s"]:.3g} GB/s and multiplies {roofs["product_tflop_s"]:.3g} TFLOP/s in {roofs["dtype"]}, by PyTorch {result["torch"]}.', '',
              '| rows | queries | interrogate, ms | PyTorch matmul + topk, ms | times as fast | of reading | of multiplying | the processor\'s answer |', '|---|---|---|---|---|---|---|---|']
    for entry in result['ranking']:
        if not entry['ours']: lines.append(f'| {entry["rows"]:,} | | {" ".join(entry["said"] or ["failed"])} | | | | | |'); continue
        theirs = {t['queries']: t['ms'] for t in entry['torch']}
        for rank in entry['ours']['ranks']:
            mid = lambda ms: statistics.median(ms) if ms else None
            ms, other, dim = mid(rank['ms']), mid(theirs.get(rank['queries'])), entry['ours']['dim']
            shown = lambda times, m: f'{m:.3g} ({min(times):.3g})' if m else entry.get('torch_said', '-')
            read = entry['rows'] * dim * 2 / ms / 1e6 / roofs['read_gb_s']
            flops = 2 * entry['rows'] * dim * rank['queries'] / ms / 1e9 / roofs['product_tflop_s']
            same = f'equal ({rank["checked"]} checked)' if rank['equal'] else 'DIFFERENT'
            lines.append(f'| {entry["rows"]:,} | {rank["queries"]:,} | {shown(rank["ms"], ms)} | {shown(theirs.get(rank["queries"]), other)} | '
                         f'{f"{other / ms:.2f}" if other else "-"} | {read:.0%} | {flops:.0%} | {same} |')
    if result['builds']:
        lines += ['', '| whole dictionaries with | seconds | |', '|---|---|---|']
        lines += [f'| {b["model"]} | {b["seconds"] if b["seconds"] is not None else "-"} | {(b["said"] or [""])[-1]} |' for b in result['builds']]
    if result['captions']:
        lines += ['', '| captions by | beams | precision | |', '|---|---|---|---|']
        lines += [f'| {c["model"]} | {c["beams"]} | {c["precision"]} | {c["rate"] or " ".join(c["said"])} |' for c in result['captions']]
    return '\n'.join(lines) + '\n'

def write(args, result):
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, 'gpu.json'), 'w') as out: json.dump(result, out, indent=1); out.write('\n')
    with open(os.path.join(args.out, 'gpu.md'), 'w') as out: out.write(page(result))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', required=True, help='cpu, cuda, cuda:N or metal')
    parser.add_argument('-o', '--out', required=True, help='folder for gpu.json and gpu.md')
    parser.add_argument('--rows', type=int, nargs='+'); parser.add_argument('--queries', type=int, nargs='+')
    parser.add_argument('--dim', type=int, default=512); parser.add_argument('-k', type=int, default=3)
    parser.add_argument('--models', nargs='*', default=[], help='checkpoints of CLIP to build the dictionaries with')
    parser.add_argument('--dicts', nargs='*', help='other dictionaries than those of the project')
    parser.add_argument('--captioner', help='a checkpoint of BLIP-2')
    parser.add_argument('--programs', default=os.path.join(ROOT, 'target', 'release'), help='where the binaries are')
    parser.add_argument('--quick', action='store_true')
    args = parser.parse_args()
    args.rows = args.rows or ([5_000, 20_000] if args.quick else [100_970, 10_000_000])
    args.queries = args.queries or ([1, 16] if args.quick else [1, 64, 1024, 8192])
    torch = Torch(args.device, args.dim)
    result = dict(date=datetime.date.today().isoformat(), quick=args.quick, command=' '.join(['gpu.py', *sys.argv[1:]]), device=args.device, name=torch.name,
                  torch=torch.torch.__version__, roofs=torch.roofs(args.quick), ranking=[], builds=[], captions=[])
    ranking(args, torch, result); builds(args, result); captions(args, result); write(args, result)
    print(page(result))

if __name__ == '__main__': main()
