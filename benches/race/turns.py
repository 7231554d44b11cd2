"""Taking turns: ours, a rival, ours, the next rival, round after round, so that a busy machine is busy for both."""
import statistics, time

PAUSE = 0.05  # seconds between two turns: the threads of one side go to sleep before the other begins

def clock(work, warm=1, runs=3):
    """A rival's turn: the milliseconds of each timed run."""
    for _ in range(warm): work()
    spent = []
    for _ in range(runs):
        start = time.perf_counter(); work(); spent.append((time.perf_counter() - start) * 1e3)
    return spent

def alternate(ours, rivals, rounds, interleave=False):
    """Milliseconds of each side. `ours` and `rivals` are name -> turn, a turn gives the milliseconds of its runs.
    Ours runs before every rival; where `interleave`, for turns of minutes, each side runs once a round."""
    spent = {name: [] for name in [*ours, *rivals]}
    def turn(name, side): time.sleep(PAUSE); spent[name] += side()
    for _ in range(rounds):
        if interleave or not rivals:
            left, right = list(ours.items()), list(rivals.items())
            while left or right:
                if left: turn(*left.pop(0))
                if right: turn(*right.pop(0))
        else:
            for rival in rivals.items():
                for own in ours.items(): turn(*own)
                turn(*rival)
    return spent

def table(spent, ours, work, unit, **more):
    """Rows of a section: medians, what they make a second, and how many times the first of ours is faster."""
    medians = {name: statistics.median(values) for name, values in spent.items()}
    rows = []
    for name, values in spent.items():
        amount = work[name] if isinstance(work, dict) else work
        rows.append(dict(side=name, ours=name in ours, ms=medians[name], best_ms=min(values), worst_ms=max(values),
                         runs=len(values), per_second=amount / medians[name] * 1e3, unit=unit, **more.get(name, {})))
    first = next(row for row in rows if row['ours'])
    for row in rows: row['ratio'] = first['per_second'] / row['per_second']
    return rows
