// NVRTC: the real one compiles, which needs no GPU; its PTX then begins with the name of a file that
// has the same text, and with the constants, so that the driver can compile it for the host.

#include "device.h"

#include <nvrtc.h>

#include <cstring>
#include <map>

#include <dlfcn.h>
#include <unistd.h>

namespace {

using namespace device;

struct Source {
    std::string text, mark;
};
std::map<nvrtcProgram, Source> sources;

template <typename Function> Function *real(Function *, const char *name) {
    static void *library = [] {
        // The compiler opens its second library by name alone; it then finds this one.
        if (dlopen((folder() + "/real/libnvrtc-builtins.so.13.0").c_str(), RTLD_NOW) == nullptr) fail("%s", dlerror());
        void *found = dlopen((folder() + "/real/libnvrtc.so.13").c_str(), RTLD_NOW | RTLD_LOCAL);
        if (found == nullptr) fail("%s", dlerror());
        return found;
    }();
    Function *function = (Function *)dlsym(library, name);
    if (function == nullptr) fail("%s", dlerror());
    return function;
}
#define REAL(name) real(name, #name)

// Writes the text to a file of its own and returns the file's name.
std::string written(const std::string &text) {
    uint64_t hash = 14695981039346656037ull;
    for (unsigned char byte : text) hash = (hash ^ byte) * 1099511628211ull;
    char name[64];
    snprintf(name, sizeof(name), "/kernels/source-%016llx.cu", (unsigned long long)hash);
    const std::string file = folder() + name, part = file + "." + std::to_string(getpid());
    FILE *to = fopen(part.c_str(), "w");
    if (to == nullptr || fwrite(text.data(), 1, text.size(), to) != text.size() || fclose(to) != 0 ||
        rename(part.c_str(), file.c_str()) != 0)
        fail("cannot write %s", file.c_str());
    return file;
}

} // namespace

nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *text, const char *name, int count, const char *const *headers,
                               const char *const *names) {
    Guard guard(device::lock);
    const nvrtcResult result = REAL(nvrtcCreateProgram)(program, text, name, count, headers, names);
    if (result == NVRTC_SUCCESS) sources[*program] = {text, ""};
    return result;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char *const *options) {
    Guard guard(device::lock);
    Source &source = sources[program];
    const std::string define = "--define-macro=";
    source.mark = "// emulated: " + written(source.text);
    for (int i = 0; i < count; i++)
        if (strncmp(options[i], define.c_str(), define.size()) == 0) source.mark += std::string(" -D") + (options[i] + define.size());
    source.mark += "\n";
    return REAL(nvrtcCompileProgram)(program, count, options);
}

nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t *bytes) {
    Guard guard(device::lock);
    const nvrtcResult result = REAL(nvrtcGetPTXSize)(program, bytes);
    *bytes += sources[program].mark.size();
    return result;
}

nvrtcResult nvrtcGetPTX(nvrtcProgram program, char *ptx) {
    Guard guard(device::lock);
    const std::string &mark = sources[program].mark;
    memcpy(ptx, mark.data(), mark.size());
    return REAL(nvrtcGetPTX)(program, ptx + mark.size());
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
    Guard guard(device::lock);
    sources.erase(*program);
    return REAL(nvrtcDestroyProgram)(program);
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes) { return REAL(nvrtcGetProgramLogSize)(program, bytes); }
nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) { return REAL(nvrtcGetProgramLog)(program, log); }
nvrtcResult nvrtcVersion(int *major, int *minor) { return REAL(nvrtcVersion)(major, minor); }
const char *nvrtcGetErrorString(nvrtcResult result) { return REAL(nvrtcGetErrorString)(result); }
