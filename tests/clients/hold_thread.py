"""Holds one thread of a process, as a system call does that never returns, until the process ends.

usage: hold_thread.py PROCESS NAME    prints `held`, or `forbidden`
"""

import ctypes
import os
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
process, name = sys.argv[1:]
threads = f"/proc/{process}/task"
for thread in os.listdir(threads):
    with open(f"{threads}/{thread}/comm") as file:
        if file.read().strip() == name:
            break
else:
    sys.exit(f"no thread {name}")
if libc.ptrace(PTRACE_SEIZE, int(thread), None, None) != 0:
    print("forbidden", flush=True)
    sys.exit()
if libc.ptrace(PTRACE_INTERRUPT, int(thread), None, None) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("held", flush=True)
# The process is not gone before its last thread has been waited for.
while True:
    _, status = os.waitpid(int(thread), WALL)
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break
