//! A message for SIGBUS, which reading a mapped file raises that another program
//! truncated.
//!
//! On Linux /proc/self/maps tells which file an address belongs to. On other systems no
//! handler is installed, and the process ends without a message.

/// Installs a handler for SIGBUS that, where the address lies in a mapped file, names the
/// file on stderr and exits with the code 128 + 7, as a shell does for the signal. Any
/// other SIGBUS ends the process as before. Linux only.
pub fn report_sigbus() {
    #[cfg(target_os = "linux")]
    linux::install();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem;
    use std::ptr;

    /// The longest file name that is printed, in bytes.
    const NAME: usize = 4096;

    /// Installs the handler.
    pub(super) fn install() {
        type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        let handler: Handler = handle;
        // SAFETY: all zeros are a valid value of this C struct: no flag, an empty mask.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_flags = libc::SA_SIGINFO;
        action.sa_sigaction = handler as libc::sighandler_t;
        // SAFETY: `action` is initialized and outlives the call, and the handler has the
        // signature that SA_SIGINFO requires and calls only functions that
        // signal-safety(7) allows. On failure the signal ends the process as before.
        unsafe { libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) };
    }

    /// Names the file and ends the process. No allocation, no lock, no panic.
    extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: with SA_SIGINFO the system passes a valid `info`, which for SIGBUS
        // has an address.
        let address = unsafe { (*info).si_addr() }.addr();
        let mut name = [0; NAME];
        if let Some(name) = mapped_file(address, &mut name) {
            print(b"error: ");
            print(name);
            print(b": truncated by another program while it was mapped\n");
            print(b"hint: run again, with --no-mmap where it happens often: files are then read into memory\n");
            // SAFETY: ends the process at once, without handlers or destructors.
            unsafe { libc::_exit(128 + signal) };
        }
        // SAFETY: a plain call; the instruction runs again and the signal ends the
        // process as it would have without this handler.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }

    /// Returns the name of the file that is mapped at `address`, if one is.
    fn mapped_file(address: usize, name: &mut [u8]) -> Option<&[u8]> {
        // SAFETY: the path ends with a zero.
        let file =
            unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        find(address, name, |buffer| {
            // SAFETY: `buffer` is writable for its whole length. A negative descriptor
            // gives an error.
            let read = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
            usize::try_from(read).unwrap_or(0)
        })
    }

    fn print(text: &[u8]) {
        // SAFETY: `text` is readable for its whole length.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }

    /// Looks for `address` in lines of `start-end perms offset dev inode /path`, which
    /// `read` returns piece by piece. Control characters in the name become `?`.
    fn find(
        address: usize,
        name: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> usize,
    ) -> Option<&[u8]> {
        let (mut bounds, mut field, mut length) = ([0usize; 2], 0, 0);
        let mut in_name = false;
        let mut piece = [0; 512];
        loop {
            let count = read(&mut piece);
            let bytes = piece.get(..count).filter(|bytes| !bytes.is_empty())?;
            for &byte in bytes {
                match byte {
                    b'\n' => {
                        let [start, end] = bounds;
                        if in_name && (start..end).contains(&address) {
                            return name.get(..length);
                        }
                        (bounds, field, length, in_name) = ([0; 2], 0, 0, false);
                    }
                    b'/' if field >= 5 && !in_name => {
                        in_name = true;
                        push(name, &mut length, byte);
                    }
                    _ if in_name => push(name, &mut length, byte),
                    b'-' if field == 0 => field = 1,
                    b' ' => field += usize::from(field < 6),
                    _ => {
                        // Fields 0 and 1 are the bounds; each space starts another.
                        if let Some(bound) = bounds.get_mut(field)
                            && let Some(digit) = char::from(byte).to_digit(16)
                        {
                            *bound = bound.wrapping_shl(4) | digit as usize;
                        }
                    }
                }
            }
        }
    }

    /// Appends a byte to the name, unless `name` is full.
    fn push(name: &mut [u8], length: &mut usize, byte: u8) {
        // C0 and DEL; C1, which UTF-8 writes as 0xc2 and 0x80 to 0x9f.
        let before = length.checked_sub(1).and_then(|at| name.get(at)).copied();
        let c1 = before == Some(0xc2) && (0x80..0xa0).contains(&byte);
        if c1 {
            *length -= 1;
        }
        if let Some(slot) = name.get_mut(*length) {
            *slot = if byte < 0x20 || byte == 0x7f || c1 { b'?' } else { byte };
            *length += 1;
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const MAPS: &[u8] = b"\
55d0-55e0 r--p 00000000 08:02 173521      /usr/bin/dbus-daemon\n\
7f10-7f20 r--s 00001000 00:2a 12   /tmp/a b\x1b[31m\xc2\x9b-\xc3\xa9.safetensors (deleted)\n\
7f20-7f40 rw-p 00000000 00:00 0 \n\
7ffc-7ffd rw-p 00000000 00:00 0           [stack]\n";

        fn found(address: usize, step: usize) -> Option<Vec<u8>> {
            let (mut name, mut rest) = ([0; 64], MAPS);
            let read = |buffer: &mut [u8]| {
                let count = rest.len().min(step).min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                count
            };
            find(address, &mut name, read).map(<[u8]>::to_vec)
        }

        #[test]
        fn file_at_an_address_is_found_without_control_characters() {
            for step in [1, 7, 512] {
                assert_eq!(found(0x55d0, step).unwrap(), b"/usr/bin/dbus-daemon");
                let plain = b"/tmp/a b?[31m?-\xc3\xa9.safetensors (deleted)";
                assert_eq!(found(0x7f1f, step).unwrap(), plain);
                for address in [0, 0x55e0, 0x7f20, 0x7f3f, 0x7ffc] {
                    assert_eq!(found(address, step), None, "{address:x}");
                }
            }
        }

        #[test]
        fn long_name_is_truncated() {
            let mut started = false;
            let read = |buffer: &mut [u8]| {
                let line = b"10-20 r--p 0 0:0 1 /";
                buffer.fill(b'x');
                if !std::mem::replace(&mut started, true) {
                    buffer[..line.len()].copy_from_slice(line);
                }
                *buffer.last_mut().unwrap() = b'\n';
                buffer.len()
            };
            let mut name = [0; 8];
            assert_eq!(find(0x10, &mut name, read), Some(&b"/xxxxxxx"[..]));
        }
    }
}
