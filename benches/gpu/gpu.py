#!/usr/bin/env python3
"""Measures this project on a device, beside PyTorch and beside what the device reads and multiplies at most.

  pip install torch
  gpu.py --device cuda -o docs/runs/DATE-gpu --models B/32=CLIP-B32 L/14=CLIP-L14 H/14=CLIP-H14 --captioner BLIP2
  gpu.py --device cpu --quick -o /tmp/x --programs target/debug --models tiny=tests/fixtures/clip/quick --captioner tests/fixtures/caption/blip2-opt

Needs the binaries: cargo build --release --features cuda --examples --bins, or --programs DIR with those of another machine.
Writes gpu.json and gpu.md to the folder of -o after every measurement, and ends within --minutes; a section that fails or has no
time left is named, and the others go on. Sections, in this order: roofs, ranking, builds, texts, images, captions, kernels (how long
our kernels ran, by CUPTI), compiled (PyTorch with torch.compile). --only names some of them."""
import argparse, datetime, json, os, sys, tempfile, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__)); ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import kernels, programs, report, rivals

# Each section ends when this share of the time has passed, so that what one leaves is for the next.
ENDS = dict(roofs=0.10, ranking=0.36, builds=0.48, texts=0.58, images=0.66, captions=0.80, kernels=0.90, compiled=0.97)

class Run:
    """One run of the script: its options, the rival, and the results so far."""
    def __init__(self, args):
        self.args, self.started, self.programs = args, time.perf_counter(), programs.Programs(args)
        self.torch = rivals.Torch(args.device)
        self.result = dict(date=datetime.date.today().isoformat(), quick=args.quick, command=' '.join(['gpu.py', *sys.argv[1:]]), device=args.device,
                           precision=self.programs.precision, name=self.torch.name, torch=self.torch.torch.__version__, roofs=None, rows=[], failed=[])
        self.commands = []  # (row, command, the key of its runs) for the section on kernels

    def until(self, section): return self.started + self.args.minutes * 60 * ENDS[section]

    def say(self, text): print(f'{time.perf_counter() - self.started:6.1f} s  {text}', file=sys.stderr, flush=True)

    def fail(self, section, said): self.result['failed'].append(dict(section=section, said=said)); self.say(f'{section}: {said}')

    def add(self, section, what, **values):
        """A row of the page: `side` is ours or a rival's name; `ms` are milliseconds, `count` the things done in each."""
        row = dict(section=section, what=what, **values); self.result['rows'].append(row); self.write()
        self.say(report.line(row)); return row

    def write(self):
        os.makedirs(self.args.out, exist_ok=True)
        for name, text in (('gpu.json', json.dumps(self.result, indent=1) + '\n'), ('gpu.md', report.page(self.result))):
            path = os.path.join(self.args.out, name)
            with open(path + '.new', 'w') as out: out.write(text)
            os.replace(path + '.new', path)

    def rival(self, section, what, side, make, runs, until, count, **values):
        """Measures a rival; an error, such as too little memory, is a row."""
        if time.perf_counter() > until: return self.fail(section, f'{what}, {side}: no time left')
        try: self.add(section, what, side=side, count=count, **self.torch.time(make(), runs, until), **values)
        except Exception as error: self.fail(section, f'{what}, {side}: {type(error).__name__}: {error}'.splitlines()[0])
        self.torch.free()

    def ours(self, section, command, until):
        """The lines of one of our programs."""
        found, said = programs.lines(command, until)
        if said is not None: self.fail(section, f'{os.path.basename(command[0])}: {" / ".join(said) or "failed"}')
        return found

def roofs(run):
    run.result['roofs'] = run.torch.roofs(run.args.quick, run.until('roofs')); run.write(); run.say(str(run.result['roofs'])); run.torch.free()

def ranking(run):
    args, until = run.args, run.until('ranking')
    for number, rows in enumerate(args.rows):
        command = run.programs.rank(rows, args.dim, args.k, args.runs, args.queries)
        for line in run.ours('ranking', command, until):
            row = run.add('ranking', f'{rows:,} rows, {line["queries"]:,} queries', side='ours', ms=programs.ms_of(line['rank']), count=line['queries'],
                          rows=rows, queries=line['queries'], dim=args.dim, checked=line['checked'], equal=line['equal'])
            if number == 0: run.commands.append((row, run.programs.rank(rows, args.dim, args.k, 3, [line['queries']]), 'rank'))
        try: table = run.torch.table(rows, args.dim)
        except Exception as error: run.fail('ranking', f'{rows:,} rows, PyTorch: {error}'.splitlines()[0]); continue
        for queries in args.queries:
            run.rival('ranking', f'{rows:,} rows, {queries:,} queries', 'PyTorch', lambda: run.torch.rank(table, queries, args.k), args.runs, until, queries)
        del table; run.torch.free()

def dictionaries(args):
    found = []
    for path in args.dicts or [os.path.join(ROOT, 'dicts')]:
        found += sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith('.txt')) if os.path.isdir(path) else [path]
    return found

def builds(run):
    until = run.until('builds')
    for size, model in run.args.models:
        with tempfile.TemporaryDirectory() as out:
            _, said, seconds = programs.run(run.programs.build(run.args.dicts or [os.path.join(ROOT, 'dicts')], out, model), until)
        if seconds is None: run.fail('builds', f'{size}: {" / ".join(said)}')
        else: run.add('builds', f'whole dictionaries, {size}, process start to end', side='ours', ms=[seconds * 1e3], count=1, said=said[-1:])

def texts(run):
    args, until = run.args, run.until('texts')
    lengths = None
    for size, model in args.models:
        what, command = f'labels encoded, {size}', run.programs.texts(model, args.runs, dictionaries(args))
        for line in run.ours('texts', command, until):
            lengths = line['lengths']
            row = run.add('texts', what, side='ours', ms=programs.ms_of(line['encode']), count=line['labels'], load_s=line['load_s'], tokenize_s=line['tokenize_s'])
            run.commands.append((row, run.programs.texts(model, 2, dictionaries(args)), 'encode'))
        if lengths is None: run.fail('texts', f'{size}: no lengths of labels, so no rival'); continue
        run.result['lengths'] = lengths; shape = size if size in rivals.TEXT else 'tiny'
        rival_texts(run, 'texts', what, shape, lengths, until, '', compiled=False)

def rival_texts(run, section, what, shape, lengths, until, suffix, compiled):
    """Sorted by length, all of the labels; padded to 77, some batches, from which the time of all follows."""
    sort, labels = rivals.batches_of(lengths, 64 if run.args.quick else 2048), sum(lengths)
    padded = [(64 if run.args.quick else 1024, 77)] * (1 if run.args.quick else 8)
    padded = [(min(count, labels), length) for count, length in padded]
    make = lambda batches: lambda: run.torch.texts(run.torch.text_tower(shape, compiled), batches)
    if not compiled: run.rival(section, what, 'PyTorch, sorted by length' + suffix, make(sort), run.args.runs, until, labels)
    run.rival(section, what, 'PyTorch, padded to 77' + suffix, make(padded), run.args.runs, until, sum(count for count, _ in padded), of=labels)

def images(run):
    args, until = run.args, run.until('images')
    batch, count = (2, 5) if args.quick else (64, 1024)
    for size, model in args.models:
        command = run.programs.images(model, count, batch, args.runs)
        for line in run.ours('images', command, until):
            for key, what in (('tower', f'images, {size}, batch {batch}: tower'), ('decode', f'images, {size}: decoding alone, {line["threads"]} threads'),
                              ('together', f'images, {size}, batch {batch}: with decoding')):
                row = run.add('images', what, side='ours', ms=programs.ms_of(line[key]), count=line['images'])
                if key == 'tower': run.commands.append((row, run.programs.images(model, count, batch, 2), key))
        rival_images(run, 'images', size, batch, until, '', compiled=False)

def rival_images(run, section, size, batch, until, suffix, compiled):
    def make():
        tower = run.torch.image_tower(size if size in rivals.IMAGE else 'tiny', compiled)
        pixels = run.torch.torch.randn(batch, 3, 224, 224, device=run.torch.device, dtype=run.torch.half)
        return lambda: tower(pixels).cpu()
    run.rival(section, f'images, {size}, batch {batch}: tower', 'PyTorch' + suffix, make, run.args.runs, until, batch)

def captions(run):
    args, until = run.args, run.until('captions')
    if not args.captioner: return
    count, tokens = (2, 6) if args.quick else (16, 20)
    name = lambda beams: f'captions, {count} images, {tokens} tokens, {beams} beam{"s" if beams > 1 else ""}'
    for line in run.ours('captions', run.programs.captions(args.captioner, count, tokens, args.runs, args.beams), until):
        row = run.add('captions', name(line['beams']), side='ours', ms=programs.ms_of(line['caption']), count=count, load_s=line['load_s'])
        run.commands.append((row, run.programs.captions(args.captioner, count, tokens, 2, [line['beams']]), 'caption'))
    rival_captions(run, 'captions', name, count, tokens, until, '', compiled=False)
    model = run.torch.blip2_of_transformers(args.quick) if time.perf_counter() < until else None
    if model is None: return run.fail('captions', 'transformers is not installed, or no time is left for it')
    pixels = run.torch.torch.randn(count, 3, 224, 224, device=run.torch.device, dtype=run.torch.half)
    for beams in args.beams:
        work = lambda: model.generate(pixel_values=pixels, num_beams=beams, min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False).cpu()
        run.rival('captions', name(beams), 'transformers', lambda: work, args.runs, until, count)
    del model, work; run.torch.free()

def rival_captions(run, section, name, count, tokens, until, suffix, compiled):
    if time.perf_counter() > until: return run.fail(section, 'captions, PyTorch: no time left')
    model = run.torch.blip2(run.args.quick, compiled)
    pixels = run.torch.torch.randn(count, 3, 224, 224, device=run.torch.device, dtype=run.torch.half)
    for beams in run.args.beams:
        run.rival(section, name(beams), 'PyTorch, static cache' + suffix, lambda: lambda: model.caption(pixels, tokens, beams).cpu(), run.args.runs, until, count)
    del model; run.torch.free()

def recorded(run):
    """How long kernels ran: our programs again, each under CUPTI, which slows the host and so is not timed."""
    if not run.torch.cuda: return run.fail('kernels', 'CUPTI records CUDA alone')
    with tempfile.TemporaryDirectory() as folder:
        recorder = kernels.Recorder(folder)
        if recorder.missing: return run.fail('kernels', recorder.missing)
        for row, command, key in run.commands:
            if time.perf_counter() > run.until('kernels'): return run.fail('kernels', 'no time left')
            found, said = programs.lines(command, run.until('kernels'), recorder.environment())
            spans = [span for line in found for span in line[key]['spans_ns']]
            row['kernels'] = kernels.within(recorder.read(), spans) if spans else None
            run.write(); run.say(f'{row["what"]}: kernels {row["kernels"] or said or "none recorded"}')

def compiled(run):
    """PyTorch with torch.compile, in a process of its own: compiling cannot be interrupted."""
    environment = os.environ | dict(GPU_SECONDS=str(run.until('compiled') - time.perf_counter()))
    lengths = json.dumps(run.result.get('lengths') or [0, 0, 0, 64])
    args = run.args
    command = [sys.executable, os.path.abspath(__file__), '--device', args.device, '-o', args.out, '--compiled-of', lengths, '--rows', *map(str, args.rows[:1]),
               '--queries', *map(str, args.queries), '--models', *(f'{size}={model}' for size, model in args.models), '--runs', str(args.runs),
               '--beams', *map(str, args.beams)] + ['--quick'] * args.quick + (['--captioner', args.captioner] if args.captioner else [])
    found, said = programs.lines(command, run.until('compiled'), environment)
    for row in found: run.add(**row)
    if said is not None: run.fail('compiled', ' / '.join(said))

def compiled_alone(run):
    """The process of `compiled`: prints its rows, the quickest to compile first."""
    args, until = run.args, run.started + float(os.environ.get('GPU_SECONDS', '60'))
    run.write = lambda: print(json.dumps(run.result['rows'][-1]), flush=True) if run.result['rows'] else None
    suffix, lengths = ', compiled', json.loads(args.compiled_of)
    for size, _ in args.models: rival_images(run, 'images', size, 2 if args.quick else 64, until, suffix, compiled=True)
    for size, _ in args.models: rival_texts(run, 'texts', f'labels encoded, {size}', size if size in rivals.TEXT else 'tiny', lengths, until, suffix, compiled=True)
    if args.captioner:
        count, tokens = (2, 6) if args.quick else (16, 20)
        name = lambda beams: f'captions, {count} images, {tokens} tokens, {beams} beam{"s" if beams > 1 else ""}'
        rival_captions(run, 'captions', name, count, tokens, until, suffix, compiled=True)
    for rows in args.rows:
        table = run.torch.table(rows, args.dim)
        for queries in args.queries:
            run.rival('ranking', f'{rows:,} rows, {queries:,} queries', 'PyTorch' + suffix, lambda: run.torch.rank(table, queries, args.k, True), args.runs, until, queries)

SECTIONS = dict(roofs=roofs, ranking=ranking, builds=builds, texts=texts, images=images, captions=captions, kernels=recorded, compiled=compiled)

def model_of(text):
    """SIZE=FOLDER, as B/32=checkpoints/b32; the size names the rival's shapes."""
    size, _, folder = text.partition('=')
    if not folder: raise argparse.ArgumentTypeError(f'{text}: expected SIZE=FOLDER with a size of {", ".join(rivals.TEXT)}')
    return size, folder

def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', required=True, help='cpu, cuda, cuda:N or metal')
    parser.add_argument('-o', '--out', required=True, help='folder for gpu.json and gpu.md')
    parser.add_argument('--minutes', type=float, default=4, help='time for everything (default: 4)')
    parser.add_argument('--only', nargs='+', choices=SECTIONS, help='sections to run')
    parser.add_argument('--rows', type=int, nargs='+'); parser.add_argument('--queries', type=int, nargs='+')
    parser.add_argument('--dim', type=int, default=512); parser.add_argument('-k', type=int, default=3)
    parser.add_argument('--models', nargs='*', default=[], type=model_of, metavar='SIZE=FOLDER', help='CLIP checkpoints, by the size of the rival')
    parser.add_argument('--dicts', nargs='*', help='dictionaries (default: dicts)')
    parser.add_argument('--captioner', metavar='FOLDER', help='a checkpoint of BLIP-2 OPT-2.7b')
    parser.add_argument('--precision', help='of our models (default: f16, on the CPU f32)')
    parser.add_argument('--beams', type=int, nargs='+', default=[1, 5]); parser.add_argument('--runs', type=int)
    parser.add_argument('--programs', default=os.path.join(ROOT, 'target', 'release'), help='folder of the binaries')
    parser.add_argument('--quick', action='store_true', help='small inputs: does the script work?')
    parser.add_argument('--compiled-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.rows = args.rows or ([5_000, 20_000] if args.quick else [100_970, 10_000_000])
    args.queries = args.queries or ([1, 16] if args.quick else [1, 64, 1024, 8192])
    args.runs = args.runs or (2 if args.quick else 5)
    return args

def main():
    run = Run(parse())
    if run.args.compiled_of: return compiled_alone(run)
    for name in run.args.only or SECTIONS:
        run.say(f'-- {name}')
        if name != 'roofs' and time.perf_counter() > run.until(name): run.fail(name, 'no time left'); continue
        try: SECTIONS[name](run)
        except Exception as error:
            run.fail(name, f'{type(error).__name__}: {error}'.splitlines()[0]); traceback.print_exc()
        run.write(); print(report.section(run.result, name), flush=True)
    print(f'{time.perf_counter() - run.started:.0f} s; {os.path.join(run.args.out, "gpu.md")}', file=sys.stderr)

if __name__ == '__main__': main()
