#!/usr/bin/env python3
"""Races this project against clip-interrogator's way, PyTorch, OpenVINO, ONNX Runtime and FAISS on this machine, in turns, and draws how it scales.

  pip install torch transformers safetensors numpy faiss-cpu matplotlib openvino onnxruntime onnx
  race.py CHECKPOINT [-o OUT]            everything: OUT.md, OUT/race.json, OUT/summary.md, OUT/*.png (OUT: docs/runs/DATE-race)
  race.py CHECKPOINT --quick -o /tmp/x   the same on small inputs: shows that the script works, not how fast anything is
  race.py --page OUT/race.json -o OUT    writes the pages and pictures again from a run's figures

CHECKPOINT is a CLIP checkpoint in Hugging Face layout. Its weights decide no speed: seeded ones race as trained ones do.
Sections: encode chain rank images; curves: rows images labels. `--only` names some of them."""
import argparse, datetime, json, os, platform, shutil, sys, tempfile, time
from types import SimpleNamespace

import page

FULL = SimpleNamespace(sample=256, candidates=2048, chain_sample=128, rows=100_970, rounds=7, rounds_long=3, runs=5,
                       rivals_to=1_000_000, one_thread_to=30_000, f32_to=1_000_000)
QUICK = SimpleNamespace(sample=32, candidates=256, chain_sample=16, rows=10_097, rounds=2, rounds_long=2, runs=2,
                        rivals_to=30_000, one_thread_to=3_000, f32_to=3_000)

class Race:
    """What the sections need: the programs, the dictionaries, a folder for what comes and goes."""
    def __init__(self, args, scratch):
        import ours, rivals, runtimes, sections
        self.checkpoint, self.scratch, self.quick = os.path.abspath(args.checkpoint), scratch, args.quick
        self.size = QUICK if args.quick else FULL
        if args.rounds: self.size.rounds_long = args.rounds
        self.rows_to = args.rows_to or (30_000 if args.quick else 1_000_000)
        self.labels_from = args.labels_from
        self.labels_to = args.labels_to or (3_000 if args.quick else 100_000)
        self.threads = sorted({1, args.threads})
        self.program, self.build_index = args.programs or ours.build()
        self.dicts = [os.path.join(ours.ROOT, 'dicts')]
        flavors = os.path.join(self.dicts[0], 'flavors.txt')
        self.labels = list(dict.fromkeys(line for line in sections.lines(flavors) if line))
        if args.quick:
            os.makedirs(self.path('dicts')); self.dicts = [self.file('dicts/flavors.txt', '\n'.join(sections.spread(self.labels, 2000)))]
        self.ours = ours.Ours(self.program, args.threads); rivals.threads(args.threads); runtimes.threads(args.threads)

    def path(self, name): return os.path.join(self.scratch, name)
    def file(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as out: out.write(text)
        return self.path(name)
    def say(self, text): print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)

def machine():
    """The processor, what of it matters here, memory and system."""
    info = open('/proc/cpuinfo').read() if os.path.exists('/proc/cpuinfo') else ''
    fields = dict(line.split(':', 1) for line in info.split('\n\n')[0].splitlines() if ':' in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    wanted = ('avx2', 'fma', 'f16c', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'avx_vnni', 'amx_bf16', 'amx_int8')
    flags = set(fields.get('flags', '').split())
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') if hasattr(os, 'sysconf') else 0
    return dict(cpu=fields.get('model name', platform.processor()), cores=os.cpu_count(), flags=[f for f in wanted if f in flags],
                cache=fields.get('cache size'), memory_gib=round(memory / 2**30, 1), system=f'{platform.system()} {platform.release()}')

def versions():
    import subprocess, rivals, runtimes
    rustc = subprocess.run(['rustc', '--version'], stdout=subprocess.PIPE, text=True).stdout.split()
    return dict(rustc=rustc[1] if rustc else None, python=platform.python_version(), **rivals.versions(), **runtimes.versions())

def run(args, scratch):
    import ours
    from curves import CURVES
    from sections import SECTIONS
    race = Race(args, scratch); start = time.time()
    result = dict(date=datetime.date.today().isoformat(), quick=args.quick, command=command(), machine=machine(),
                  versions=versions(), setting=race.ours.ask('setting'), checkpoint=os.path.basename(race.checkpoint), load=os.getloadavg()[0],
                  roofs=[], sections=[], curves={})
    for count in race.threads:
        process = ours.Ours(race.program, count); result['roofs'].append(process.ask('roof')); process.close()
    for name, section in SECTIONS.items():
        if args.only and name not in args.only: continue
        race.say(name); result['sections'] += section(race)
        page.write(result, args.out)  # what is measured is not lost where the next section fails
    for name, curve in CURVES.items():
        if args.only and f'curve-{name}' not in args.only: continue
        race.say(f'curve: {name}'); result['curves'][name] = curve(race)
        page.write(result, args.out)
    race.ours.close()
    result['minutes'] = round((time.time() - start) / 60, 1)
    return result

def command():
    """The command as it was typed, without where things lie on this machine."""
    return ' '.join(['benches/race/race.py'] + [os.path.basename(a.rstrip('/')) if os.path.isabs(a) else a for a in sys.argv[1:]])

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('checkpoint', nargs='?'); p.add_argument('-o', '--out', default=f'docs/runs/{datetime.date.today().isoformat()}-race', type=lambda path: path.rstrip('/'), help='the page is OUT.md, its data is in the folder OUT'); p.add_argument('--quick', action='store_true')
    p.add_argument('--page', help='a race.json: run nothing, write its pages'); p.add_argument('--only', nargs='+', help='encode chain rank images curve-rows curve-images curve-labels')
    p.add_argument('--threads', type=int, default=os.cpu_count()); p.add_argument('--scratch', help='a folder with room for what comes and goes: 2 kB a row')
    p.add_argument('--rows-to', type=int, help='the last point of the rows, 10,000,000 at most sensible: 20 GB on the disk while it is built')
    p.add_argument('--rounds', type=int, help='rounds over whole dictionaries: a few minutes each')
    p.add_argument('--labels-from', type=int, default=1_000, help='the first point of the labels')
    p.add_argument('--labels-to', type=int, help='the last point of the labels, 1,000,000 at most sensible: a quarter of an hour in f32')
    p.add_argument('--programs', nargs=2, metavar=('RACE', 'BUILD_INDEX'), help='these, and no building')
    args = p.parse_args()
    if args.page: page.write(json.load(open(args.page)), args.out); sys.exit()
    if not args.checkpoint: p.error('a checkpoint is needed, or --page')
    scratch = tempfile.mkdtemp(prefix='race-', dir=args.scratch)
    try: page.write(run(args, scratch), args.out)
    finally: shutil.rmtree(scratch, ignore_errors=True)
