"""An emulated Raspberry Pi 3B: its console, and QEMU's own control of it (QMP)."""
import json
import os
import queue
import re
import socket
import subprocess
import threading
import time

# The console is the story's alone.
QUIET = "quiet loglevel=1 systemd.show_status=no systemd.log_target=journal systemd.getty_auto=no"


class Lines:
    """Lines that arrive, kept and waited for."""

    def __init__(self, stream, log=None):
        self.begin = time.monotonic()
        self.seen = []
        self.arriving = queue.Queue()
        threading.Thread(target=self.follow, args=(stream, log), daemon=True).start()

    def follow(self, stream, log):
        for line in stream:
            text = line.decode(errors="replace").rstrip("\r\n")
            if log:
                log.write(f"{time.monotonic() - self.begin:6.1f} {text}\n")
                log.flush()
            self.arriving.put(text)

    def next(self, deadline):
        """The next line; raises `queue.Empty` at the deadline."""
        line = self.arriving.get(timeout=max(0.0, deadline - time.monotonic()))
        self.seen.append(line)
        return line


class Machine:
    """QEMU with a guest. Ends with the `with` block, however that ends."""

    def __init__(self, cache, kernel, port):
        self.folder = cache
        self.arguments = [
            f"{cache}/bin/qemu-system-aarch64",
            *("-M", "raspi3b", "-accel", "tcg,thread=multi", "-display", "none", "-no-reboot"),
            *("-kernel", kernel, "-dtb", f"{cache}/board.dtb", "-initrd", f"{cache}/image.gz"),
            # Without relaxed memory /dev/mem, which stands in for /dev/gpiomem, has no pins.
            *("-append", f"console=ttyAMA0,115200 {QUIET} maxcpus=1 iomem=relaxed"),
            *("-chardev", f"socket,id=console,path={cache}/console,server=on,wait=on"),
            *("-serial", "chardev:console"),
            *("-qmp", f"unix:{cache}/qmp,server=on,wait=off"),
            *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:8883"),
            *("-device", "usb-net,netdev=net"),
            *self.chip("cave", "i2c-bus.1", 0x48),
            *self.chip("grenier", "i2c-bus.1", 0x49),
            *self.chip("chambre", "i2c-bus.1", 0x4A),
            *("-device", "pca9548,id=multiplexer,bus=i2c-bus.1,address=0x70"),
            *self.chip("bureau", "i2c.3", 0x4C),
        ]

    @staticmethod
    def chip(name, bus, address):
        return "-device", f"tmp105,id={name},bus={bus},address={address:#x}"

    def __enter__(self):
        for name in ("console", "qmp"):
            if os.path.exists(f"{self.folder}/{name}"):
                os.remove(f"{self.folder}/{name}")
        # It complains of what its USB socket does not know; whether that works is seen from outside.
        with open(f"{self.folder}/qemu.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stderr=log)
        self.console = self.connect("console").makefile("rwb", buffering=0)
        self.lines = Lines(self.console, open(f"{self.folder}/console.log", "w", encoding="utf-8"))
        self.control = self.connect("qmp").makefile("rw")
        self.control.readline()
        self.ask("qmp_capabilities")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, name):
        deadline = time.monotonic() + 20
        while True:
            try:
                end = socket.socket(socket.AF_UNIX)
                end.connect(f"{self.folder}/{name}")
                return end
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.process.kill()
                    raise
                time.sleep(0.05)

    def ask(self, command, **arguments):
        """QEMU's answer to a command; events in between are passed over."""
        request = {"execute": command, "arguments": arguments}
        self.control.write(json.dumps(request) + "\n")
        self.control.flush()
        while True:
            answer = json.loads(self.control.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def expose(self, chip, celsius):
        """Moves the temperature at a chip."""
        path = f"/machine/peripheral/{chip}"
        self.ask("qom-set", path=path, property="temperature", value=round(celsius * 1000))

    def wait_for(self, pattern, seconds):
        """The match in the next line of the console that has one."""
        deadline = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.lines.next(deadline))
            if match:
                return match

    def run(self, command, seconds=60):
        """The output of a command in the guest, whose status must be 0."""
        start = len(self.lines.seen)
        self.console.write(command.encode() + b"\n")
        status = self.wait_for(r"^status (\d+)$", seconds).group(1)
        output = self.lines.seen[start:-1]
        if status != "0":
            raise RuntimeError(f"`{command}` ended with {status}: {output}")
        return output


class Subscriber:
    """mosquitto_sub on this machine, which is outside of the guest."""

    def __init__(self, cache, port, user, password):
        login = ("-u", user, "-P", password)
        address = ("-h", "127.0.0.1", "-p", str(port), "--cafile", f"{cache}/ca.pem")
        self.process = subprocess.Popen(
            [f"{cache}/bin/mosquitto_sub", *address, *login, "-V", "5", "-t", "#", "-v"],
            stdout=subprocess.PIPE,
        )
        self.lines = Lines(self.process.stdout)
        self.last = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_for(self, topic, expected, seconds=30):
        """The first payload of a topic, from the last one on, for which `expected` holds."""
        deadline = time.monotonic() + seconds
        while not (topic in self.last and expected(self.last[topic])):
            try:
                name, _, payload = self.lines.next(deadline).partition(" ")
            except queue.Empty:
                raise RuntimeError(f"there is {self.last.get(topic, 'nothing')}") from None
            self.last[name] = payload
        return self.last[topic]
