"""How long kernels ran in our programs: kernels.c, loaded into them, and its records."""
import collections, glob, os, statistics, subprocess, sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))

def places():
    """Folders of CUPTI's headers and of its library: those of PyTorch's wheels, then of a toolkit."""
    packages = sysconfig.get_paths()['purelib']
    triton = f'{packages}/triton/backends/nvidia'
    yield f'{triton}/include', f'{triton}/lib/cupti'
    for root in sorted(glob.glob(f'{packages}/nvidia/cu*')): yield f'{root}/include', f'{root}/lib'
    for root in filter(None, (os.environ.get('CUDA_HOME'), '/usr/local/cuda')):
        yield f'{root}/extras/CUPTI/include', f'{root}/extras/CUPTI/lib64'

class Recorder:
    """Runs programs under kernels.c."""
    def __init__(self, folder):
        """Compiles kernels.c in `folder`; `missing` says why that failed."""
        self.library, self.records, self.missing = os.path.join(folder, 'kernels.so'), os.path.join(folder, 'kernels.txt'), 'no CUPTI was found'
        for include, lib in places():
            libraries = sorted(glob.glob(f'{lib}/libcupti.so*'))
            if not libraries or not os.path.exists(f'{include}/cupti.h'): continue
            done = subprocess.run(['cc', '-shared', '-fPIC', '-O1', f'-I{include}', f'-I{os.path.dirname(include)}/../../include', os.path.join(HERE, 'kernels.c'), libraries[0],
                                   f'-Wl,-rpath,{lib}', '-o', self.library], capture_output=True, text=True)
            self.missing = None if done.returncode == 0 else done.stderr.strip().splitlines()[0]
            if not self.missing: return

    def environment(self):
        if os.path.exists(self.records): os.remove(self.records)
        return os.environ | dict(CUDA_INJECTION64_PATH=self.library, KERNEL_RECORDS=self.records)

    def read(self):
        """The records of the last program: (kind, begin, end, name), in the order of their begin."""
        found = []
        if os.path.exists(self.records):
            for line in open(self.records, errors='replace'):
                parts = line.split(' ', 3)
                if len(parts) == 4 and parts[1].isdigit() and parts[2].isdigit():
                    found.append((parts[0], int(parts[1]), int(parts[2]), parts[3].strip()))
        return sorted(found, key=lambda record: record[1])

def busy_ns(records):
    """The time in which at least one of the records, sorted by their begin, ran."""
    total = until = 0
    for _, begin, end, _ in records:
        total += max(0, end - max(begin, until)); until = max(until, end)
    return total

def within(records, spans):
    """For runs in `spans` (ns): the medians of the kernels' and the copies' time, the launches, and the kernels that take most."""
    kernels, copies, launches, names = [], [], [], collections.Counter()
    for begin, end in spans:
        own = [r for r in records if begin <= r[1] and r[2] <= end]
        each = [r for r in own if r[0] == 'kernel']
        kernels.append(busy_ns(each) / 1e6); copies.append(busy_ns([r for r in own if r[0] == 'copy']) / 1e6); launches.append(len(each))
        for _, start, stop, name in each: names[name.split('(')[0][:80]] += (stop - start) / 1e6 / len(spans)
    if not any(launches): return None
    return dict(kernel_ms=statistics.median(kernels), copy_ms=statistics.median(copies), launches=statistics.median(launches),
                most={name: round(ms, 4) for name, ms in names.most_common(8)})
