"""A program that prints one line, as a static Linux executable of some 200 bytes.

It is written in machine code, so that the demo's image runs (``docker run``) on both of its
platforms without a compiler here. Sources: System V ABI, "ELF header" and "Program header";
the Linux system-call tables of x86-64 and arm64.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["MESSAGE", "program"]

MESSAGE: Final = b"Hello from the image that hubmirror pulled for you.\n"

_LOAD_ADDRESS = 0x400000
_HEADERS_SIZE = 64 + 56
_EM_X86_64 = 62
_EM_AARCH64 = 183


def program(architecture: str) -> bytes:
    """The executable that prints ``MESSAGE``, for ``amd64`` or ``arm64``.

    Raises ``KeyError`` for any other architecture.
    """
    machine, code = {"amd64": (_EM_X86_64, _amd64()), "arm64": (_EM_AARCH64, _arm64())}[
        architecture
    ]
    text = code + MESSAGE
    return _elf_headers(machine, _HEADERS_SIZE + len(text)) + text


def _elf_headers(machine: int, size: int) -> bytes:
    """An ELF-64 header and one loadable, executable segment that is the whole file."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64-bit, little-endian, version 1
    entry = _LOAD_ADDRESS + _HEADERS_SIZE
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOAD_ADDRESS, _LOAD_ADDRESS, size, size, 0x10000)
    return identity + header + segment


def _amd64() -> bytes:
    return b"".join(
        (
            b"\xb8\x01\x00\x00\x00",  # mov eax, 1 (write)
            b"\xbf\x01\x00\x00\x00",  # mov edi, 1 (standard output)
            b"\x48\x8d\x35\x10\x00\x00\x00",  # lea rsi, [rip + 16] (the message, after the code)
            b"\xba" + struct.pack("<I", len(MESSAGE)),  # mov edx, its length
            b"\x0f\x05",  # syscall
            b"\xb8\x3c\x00\x00\x00",  # mov eax, 60 (exit)
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        )
    )


def _arm64() -> bytes:
    return struct.pack(
        "<8I",
        0xD2800020,  # mov x0, 1 (standard output)
        0x100000E1,  # adr x1, 28 bytes on (the message, after the code)
        0xD2800002 | len(MESSAGE) << 5,  # mov x2, its length
        0xD2800808,  # mov x8, 64 (write)
        0xD4000001,  # svc 0
        0xD2800000,  # mov x0, 0
        0xD2800BA8,  # mov x8, 93 (exit)
        0xD4000001,  # svc 0
    )
