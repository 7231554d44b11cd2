#!/usr/bin/env python3
"""Reads every output format back with common programs, and kills runs.

  pip install pandas pyarrow
  check.py forms PROGRAM IMAGES...          JSONL by json, CSV by csv and pandas, Parquet by pyarrow and pandas: the same values
  check.py kills PROGRAM FOLDER [COUNT]     kills `prompt FOLDER -o FILE` COUNT times at random moments, resumes it, and
                                            compares the file with that of an undisturbed run, byte for byte

Run by hand; `cargo test` has a small version of both in tests/cli. Run it in the folder of the index (see the README)."""
import csv, json, os, random, signal, subprocess, sys, tempfile, time

def run(program, *args, **more): return subprocess.run([program, '-q', *args], check=False, **more)

def forms(program, images):
    import pandas, pyarrow.parquet
    with tempfile.TemporaryDirectory() as folder:
        files = {form: os.path.join(folder, f'rows.{form}') for form in ('jsonl', 'csv', 'parquet')}
        for path in files.values(): assert run(program, 'prompt', *images, '-o', path).returncode in (0, 1)
        rows = [json.loads(line) for line in open(files['jsonl'], encoding='utf-8')]
        cells = list(csv.DictReader(open(files['csv'], encoding='utf-8', newline='')))
        table = pyarrow.parquet.read_table(files['parquet']).to_pylist()
        frames = pandas.read_csv(files['csv'], keep_default_na=False), pandas.read_parquet(files['parquet'])
        assert len(rows) == len(cells) == len(table) == len(frames[0]) == len(frames[1]), 'rows'
        for at, (row, cell, column) in enumerate(zip(rows, cells, table)):
            assert row['image'] == cell['image'] == column['image'] == frames[0].image[at] == frames[1].image[at]
            if 'error' in row:
                assert row['error'] == cell['error'] == column['error']; continue
            assert row['prompt'] == cell['prompt'] == column['prompt'] == frames[0].prompt[at] == frames[1].prompt[at]
            labels = [found['label'] for found in row['flavors']]
            assert labels == json.loads(cell['flavors']) == column['flavors'] == list(frames[1].flavors[at])
            near = lambda a, b: abs(a - b) < 1e-7
            scores = [found['score'] for found in row['flavors']]
            assert all(map(near, scores, column['flavor_scores'])) and all(map(near, scores, json.loads(cell['flavor_scores'])))
            if row['medium']: assert near(row['medium']['score'], float(cell['medium_score'])) and near(row['medium']['score'], column['medium_score'])
        print(f'{len(rows)} rows, {len(table[0])} columns: equal by json, csv, pandas {pandas.__version__}, pyarrow {pyarrow.__version__}')

def kills(program, folder, count=20):
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        for ending in ('jsonl', 'csv'):
            whole, out = (os.path.join(place, f'{name}.{ending}') for name in ('whole', 'out'))
            start = time.time(); assert run(program, 'prompt', folder, '-o', whole).returncode == 0; took = time.time() - start
            killed = 0
            for _ in range(int(count)):
                process = subprocess.Popen([program, '-q', 'prompt', folder, '--batch-size', '2', '-o', out, *(['--resume'] if os.path.exists(out) else [])])
                try: process.wait(rng.uniform(took / 20, took / 4))
                except subprocess.TimeoutExpired: process.send_signal(signal.SIGKILL); process.wait(); killed += 1
                else: break
            done = open(out, 'rb').read().count(b'\n') if os.path.exists(out) else 0
            assert run(program, 'prompt', folder, '--batch-size', '2', '-o', out, *(['--resume'] if os.path.exists(out) else [])).returncode == 0
            assert open(whole, 'rb').read() == open(out, 'rb').read(), ending
            print(f'{ending}: killed {killed} times, {done} lines before the last run; equal to an undisturbed run, byte for byte')

if __name__ == '__main__':
    {'forms': lambda program, *images: forms(program, images), 'kills': kills}[sys.argv[1]](*sys.argv[2:])
