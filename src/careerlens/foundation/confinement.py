"""Walls that a process puts around itself before it touches a stranger's document.

Three of them, each of which may be missing on some system while the others hold:

limits   the kernel's own: processor seconds, address space, no growing of files, few descriptors
filter   a seccomp filter (Linux on x86-64 and arm64): no sockets, no programs, no opening for
         writing, no changing of the file system, no signals to others. Native code is held too
hook     a Python audit hook for the same things, on every system. It names what was refused, and
         catches a library that follows a link; it does not hold native code that was taken over

All of them last until the process ends.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from typing import Final

MAX_DESCRIPTORS: Final = 64

_NETWORK_EVENTS = ("socket.", "urllib.Request", "http.client.", "ftplib.", "smtplib.", "imaplib.")
_PROGRAM_EVENTS = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.forkpty", "os.startfile", "os.kill", "os.killpg", "pty.spawn", "webbrowser.open",
)  # fmt: skip
_FILE_EVENTS = (
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod",
    "os.chown", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "shutil.",
    "tempfile.", "sqlite3.connect",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(PermissionError):
    """The process tried something that its walls forbid, such as opening a connection."""


def limit_resources(
    *, memory_bytes: int | None, cpu_seconds: float | None, descriptors: int | None = None
) -> None:
    """Set the kernel's limits. No core files, whatever else is asked.

    `memory_bytes` bounds the address space, on Linux only: macOS does not honour that limit, so
    there the caller watches the resident size (`resident_bytes`).
    """
    _lower(resource.RLIMIT_CORE, 0)
    if cpu_seconds is not None:
        whole = max(1, int(-(-cpu_seconds // 1)))
        _lower(resource.RLIMIT_CPU, whole, whole + 1)
    if memory_bytes is not None and sys.platform == "linux":
        _lower(resource.RLIMIT_AS, memory_bytes)
    if descriptors is not None:
        _lower(resource.RLIMIT_NOFILE, descriptors)


def wall_in() -> None:
    """Forbid network, programs and writing to files, from here on. There is no way back."""
    _lower(resource.RLIMIT_FSIZE, 0)
    sys.addaudithook(_refuse)
    filter_system_calls()


def resident_bytes() -> int:
    """The largest resident size of this process so far (macOS counts bytes, Linux kilobytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _lower(what: int, soft: int, hard: int | None = None) -> None:
    """Set a limit, never above the hard one in force."""
    _, ceiling = resource.getrlimit(what)
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        wanted, soft = min(wanted, ceiling), min(soft, ceiling)
    resource.setrlimit(what, (soft, wanted))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
            raise RefusedError(f"opening a file for writing is not allowed here: {path!r}")
        return
    if event.startswith(_NETWORK_EVENTS):
        raise RefusedError(f"the network is not allowed here: {event}")
    if event.startswith(_PROGRAM_EVENTS):
        raise RefusedError(f"starting or signalling a program is not allowed here: {event}")
    if event.startswith(_FILE_EVENTS):
        raise RefusedError(f"changing files is not allowed here: {event}")


# The filter. Numbers are from the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h); they never change.
_X86_64 = 0xC000003E
_ARM64 = 0xC00000B7
_X32_BIT = 0x40000000
_DENIED: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "x86_64": (
        _X86_64,
        (
            41, 42, 43, 44, 46, 49, 50, 53, 288, 299, 307,      # socket … sendmmsg
            57, 58, 59, 322,                                    # fork, vfork, execve, execveat
            62, 129, 200, 297, 424, 434, 438,                   # kill … pidfd_getfd
            101, 310, 311,                                      # ptrace, process_vm_*
            76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133,
            258, 259, 260, 263, 264, 265, 266, 268, 316, 437, 452,
            161, 165, 166, 155, 272, 308, 321, 425, 426, 427,   # chroot … bpf, io_uring
        ),
    ),
    "aarch64": (
        _ARM64,
        (
            198, 199, 200, 201, 202, 203, 206, 211, 242, 269,   # socket … sendmmsg
            221, 281,                                           # execve, execveat
            129, 130, 138, 240, 424, 434, 438,                  # kill … pidfd_getfd
            117, 270, 271,                                      # ptrace, process_vm_*
            33, 34, 35, 36, 37, 38, 45, 46, 52, 53, 54, 55, 276, 437, 452,
            51, 40, 39, 41, 97, 268, 280, 425, 426, 427,        # chroot … bpf, io_uring
        ),
    ),
}  # fmt: skip
_OPEN: Final = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}
"""System calls that open files, with the place of their flags among the arguments."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_PR_SET_PDEATHSIG = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def filter_system_calls() -> bool:
    """Install the seccomp filter; False where this system has none (the other walls stand)."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _DENIED:
        return False
    code = b"".join(struct.pack("=HBBI", *step) for step in _filter_for(machine))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter_for(machine: str) -> Iterable[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, value) steps.

    The kernel hands it `struct seccomp_data`: number at 0, architecture at 4, arguments from 16
    (8 bytes each, low half first).
    """
    architecture, denied = _DENIED[machine]
    yield (_LOAD, 0, 0, 4)
    yield (_EQUAL, 1, 0, architecture)
    yield (_RETURN, 0, 0, _REFUSE)
    yield (_LOAD, 0, 0, 0)
    if machine == "x86_64":
        yield (_AT_LEAST, 0, 1, _X32_BIT)
        yield (_RETURN, 0, 0, _REFUSE)
    for number in denied:
        yield (_EQUAL, 0, 1, number)
        yield (_RETURN, 0, 0, _REFUSE)
    for number, place in _OPEN[machine]:
        yield (_EQUAL, 0, 4, number)
        yield (_LOAD, 0, 0, 16 + 8 * place)
        yield (_ANY_BIT, 0, 1, _WRITING)
        yield (_RETURN, 0, 0, _REFUSE)
        yield (_RETURN, 0, 0, _ALLOW)
    yield (_RETURN, 0, 0, _ALLOW)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel signal this process when its parent dies (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
