//! The `build-index` command; its code is in `cli`.

mod cli;

// Encoding allocates and frees large buffers all the time. The system's allocator
// returns them to the kernel each time, which takes up to 2.3 times as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
