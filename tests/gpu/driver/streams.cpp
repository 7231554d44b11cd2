// Streams and events.
//
// Work runs when it is enqueued. With EMULATED_STREAMS=SEED it runs in an order that a GPU may
// choose too: each stream is hasty, lazy, or either by chance, and runs at the latest when an event
// or a synchronization demands it. So a missing wait gives wrong results or a fault.

#include "device.h"

#include <chrono>
#include <deque>
#include <map>

namespace device {

namespace {

struct Stream {
    std::deque<Work> pending;
    uint64_t enqueued = 0, done = 0;
    // Percent of the times at which it runs some of its work unasked.
    unsigned haste = 100;
    bool is_running = false;
};
using Shared = std::shared_ptr<Stream>;

struct Event {
    Shared stream; // of the last record
    uint64_t position = 0;
    std::shared_ptr<double> time = std::make_shared<double>(0); // milliseconds
    bool has_time = true;
};

std::map<CUstream, Shared> streams;
uint64_t random_state;

bool in_order() {
    static const char *seed = getenv("EMULATED_STREAMS");
    if (seed == nullptr) return true;
    static const bool once = (random_state = strtoull(seed, nullptr, 0) * 2654435761u + 88172645463325252ull, true);
    return !once;
}

unsigned below(unsigned bound) {
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (random_state >> 33) % bound;
}

Shared new_stream() {
    Shared stream = std::make_shared<Stream>();
    if (!in_order()) stream->haste = std::vector<unsigned>{0, 100, 50}[below(3)];
    return stream;
}

Shared stream_of(CUstream name) {
    // The names of the default streams.
    if (name == CU_STREAM_LEGACY || name == CU_STREAM_PER_THREAD) name = nullptr;
    auto found = streams.find(name);
    if (found != streams.end()) return found->second;
    if (name != nullptr) fail("%p is no stream", (void *)name);
    return streams[nullptr] = new_stream();
}

void run(Stream &stream, uint64_t position) {
    while (stream.done < position) {
        if (stream.is_running) fail("a stream waits for itself");
        Work work = std::move(stream.pending.front());
        stream.pending.pop_front();
        stream.is_running = true;
        work();
        stream.is_running = false;
        stream.done++;
    }
}

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

void enqueue(CUstream name, Work work) {
    Shared stream = stream_of(name);
    stream->pending.push_back(std::move(work));
    stream->enqueued++;
    if (in_order()) return run(*stream, stream->enqueued);
    for (auto &[_, other] : streams)
        if (below(100) < other->haste) run(*other, other->haste == 100 ? other->enqueued : other->done + below(other->pending.size() + 1));
}

void finish(CUstream name) {
    Shared stream = stream_of(name);
    run(*stream, stream->enqueued);
}

void finish_all() {
    for (auto &[_, stream] : streams) run(*stream, stream->enqueued);
    check_ends("before the device was synchronized");
}

} // namespace device

using namespace device;

CUresult cuStreamCreate(CUstream *stream, unsigned) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    static uintptr_t names = 0x1000;
    *stream = (CUstream)(names += 16);
    streams[*stream] = new_stream();
    return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

CUresult cuStreamDestroy(CUstream stream) {
    Guard guard(lock);
    finish(stream);
    streams.erase(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    finish(stream);
    check_ends("before a stream was synchronized");
    return CUDA_SUCCESS;
}

CUresult cuStreamQuery(CUstream stream) {
    Guard guard(lock);
    Shared it = stream_of(stream);
    return it->done == it->enqueued ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    Shared other = ((Event *)event)->stream;
    const uint64_t position = ((Event *)event)->position;
    if (other && other != stream_of(stream)) enqueue(stream, [=] { run(*other, position); });
    return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus *status) {
    *status = CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *data) {
    Guard guard(lock);
    enqueue(stream, [=] { function(data); });
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    finish_all();
    return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
    Event *it = new Event;
    it->has_time = !(flags & CU_EVENT_DISABLE_TIMING);
    *event = (CUevent)it;
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event) {
    Guard guard(lock);
    delete (Event *)event;
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    Event &it = *(Event *)event;
    it.stream = stream_of(stream);
    it.position = it.stream->enqueued + 1;
    auto time = it.time = std::make_shared<double>(0);
    enqueue(stream, [=] { *time = now(); });
    return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent event) {
    Guard guard(lock);
    if (!has_context()) return CUDA_ERROR_INVALID_CONTEXT;
    Event &it = *(Event *)event;
    if (it.stream) run(*it.stream, it.position);
    return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent event) {
    Guard guard(lock);
    Event &it = *(Event *)event;
    if (!it.stream || it.stream->done >= it.position) return CUDA_SUCCESS;
    // Some work is done meanwhile, so that a loop of queries ends.
    run(*it.stream, it.stream->done + 1);
    return CUDA_ERROR_NOT_READY;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
    Guard guard(lock);
    Event &a = *(Event *)from, &b = *(Event *)to;
    if (!a.stream || !b.stream || !a.has_time || !b.has_time) return CUDA_ERROR_INVALID_HANDLE;
    if (a.stream->done < a.position || b.stream->done < b.position) return CUDA_ERROR_NOT_READY;
    *milliseconds = *b.time - *a.time;
    return CUDA_SUCCESS;
}
