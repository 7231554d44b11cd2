"""This project's side: the programs of this workspace, built once and asked by the script."""
import json, os, shutil, subprocess, threading, time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
BUILD = ['cargo', 'build', '--release', '--locked', '--workspace', '--bin', 'build-index', '--bench', 'race', '--message-format=json']

def build():
    """The paths of the race's program and of build-index, built as they are shipped."""
    built = subprocess.run(BUILD, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    found = {}
    for line in built.stdout.splitlines():
        artifact = json.loads(line)
        if artifact.get('executable') and artifact['target']['kind'] in (['bin'], ['bench']):
            found[artifact['target']['name']] = artifact['executable']
    return found['race'], found['build-index']

class Ours:
    """benches/race/main.rs on so many threads; `ask` sends a request and waits for its answer."""
    def __init__(self, program, threads):
        env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        self.process = subprocess.Popen([program, 'answer'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)

    def ask(self, do, **request):
        self.process.stdin.write(json.dumps(dict(request, do=do)) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line: raise SystemExit(f'the race program ended while it was asked to {do}')
        answer = json.loads(line)
        if 'error' in answer: raise SystemExit(f'{do}: {answer["error"]}')
        return answer

    def close(self):
        self.process.stdin.close(); self.process.wait()

class Memory(threading.Thread):
    """Watches a process: the most that was resident (VmHWM), and the most of it that was its own (RssAnon, every 20 ms)."""
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.peak, self.anon, self.done = f'/proc/{pid}/status', 0, 0, False
        self.start()

    def run(self):
        while not self.done:
            try: status = open(self.path).read()
            except OSError: return
            for line in status.splitlines():
                if line.startswith('VmHWM:'): self.peak = max(self.peak, int(line.split()[1]) * 1024)
                if line.startswith('RssAnon:'): self.anon = max(self.anon, int(line.split()[1]) * 1024)
            time.sleep(0.02)

def build_index(program, dicts, model, precision, folder, threads=None):
    """A build from nothing, as a user runs it: seconds of the whole process, model loading and fingerprint included."""
    shutil.rmtree(folder, ignore_errors=True)
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads)) if threads else None
    start = time.perf_counter()
    process = subprocess.Popen([program, *dicts, '-o', folder, '--model', model, '--precision', precision],
                               stderr=subprocess.PIPE, env=env, text=True)
    memory = Memory(process.pid)
    said = process.stderr.read()
    status = process.wait(); seconds = time.perf_counter() - start
    memory.done = True; memory.join()
    if status: raise SystemExit(f'build-index ended with {status}:\n{said}')
    line = next(line for line in said.splitlines() if line.startswith('labels '))
    encoded = int(line.split(':')[1].split()[0])  # "labels   N, N of them distinct: N encoded (...)"
    shutil.rmtree(folder)
    return dict(seconds=seconds, labels=encoded, peak=memory.peak, anon=memory.anon)
