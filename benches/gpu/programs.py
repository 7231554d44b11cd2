"""Our programs: run with a deadline, and their lines of JSON read as far as they came."""
import json, os, subprocess, time

def run(command, until, environment=None):
    """(stdout, the last lines of stderr, seconds or None if it failed). A program that runs beyond `until` is stopped; what it wrote counts."""
    start = time.perf_counter()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    except OSError as error:
        return '', [f'{command[0]}: {error.strerror}'], None
    try:
        out, said = process.communicate(timeout=max(1.0, until - start))
        stopped = []
    except subprocess.TimeoutExpired:
        process.kill(); out, said = process.communicate(); stopped = [f'stopped after {time.perf_counter() - start:.0f} s']
    seconds = time.perf_counter() - start
    return out, said.strip().splitlines()[-3:] + stopped, seconds if process.returncode == 0 else None

def lines(command, until, environment=None):
    """The JSON objects that a program printed, and what it said if it failed."""
    out, said, seconds = run(command, until, environment)
    found = []
    for line in out.splitlines():
        try: found.append(json.loads(line))
        except ValueError: pass
    return found, None if seconds is not None else said

def ms_of(runs):
    return [seconds * 1e3 for seconds in runs['seconds']]

class Programs:
    """Commands of the section's rows."""
    def __init__(self, args):
        self.folder, self.device = args.programs, args.device
        self.precision = args.precision or ('f32' if args.device == 'cpu' else 'f16')

    def at(self, name): return os.path.join(self.folder, name)

    def example(self, name, *rest):
        return [self.at(f'examples/{name}'), *map(str, rest)]

    def rank(self, rows, dim, k, runs, queries): return self.example('device', self.device, rows, dim, k, runs, *queries)
    def texts(self, model, runs, files): return self.example('texts', self.device, self.precision, model, runs, *files)
    def images(self, model, count, batch, runs): return self.example('images', self.device, self.precision, model, count, batch, runs)
    def captions(self, model, images, tokens, runs, beams): return self.example('captions', self.device, self.precision, model, images, tokens, runs, *beams)
    def build(self, dicts, out, model): return [self.at('build-index'), *dicts, '-o', out, '--model', model, '--device', self.device]
