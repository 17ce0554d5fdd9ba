"""What evoc_peer.py needs: an environment with the peer, synthetic vectors, and processes that are measured."""

import concurrent.futures
import importlib.util
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def environment(folder):
    """Runs this program again in a virtual environment with the peers, which is made on the first run."""
    folder = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "throughline-bench" / "cluster"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    done = folder / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        print(f"installing the peers into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        done.write_text(wanted)
    os.execv(python, [str(python), *sys.argv, "--venv", str(folder)])


def build(folder, package):
    """The program of this checkout."""
    binary = Path(folder) / Path(package).name
    subprocess.run(["go", "build", "-o", binary, package], cwd=ROOT, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    return binary


def apart(function, *args):
    """Calls a function of a module of this folder in a process of its own. This one stays small: Linux counts the memory of the process that starts
    another as part of the other's peak."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def generate(generator, n, folder, dim=256):
    """Files of n vectors with the stories and topics they were made from."""
    files = [Path(folder) / f"{kind}{n}x{dim}.npy" for kind in ("vectors", "stories", "topics")]
    if not all(f.exists() for f in files):
        print(f"making {n} vectors", file=sys.stderr)
        apart(make, generator, n, dim, files)
    return files


def make(generator, n, dim, files):
    import numpy as np

    spec = importlib.util.spec_from_file_location("generator", generator)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file, values in zip(files, module.gen(n, dim)):
        np.save(file, values)


def measured(command):
    """Runs a command; returns its standard output, CPU seconds, wall seconds and peak memory in bytes, those of the whole process."""
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{command[0]} failed with {process.returncode}")
        out.seek(0)
        text = out.read().decode()
    return text, {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "peak": usage.ru_maxrss * 1024}


def machine():
    cpu = "unknown processor"
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, {time.strftime('%Y-%m-%d')}"


def finish(result, file):
    if file:
        file.write_text(json.dumps(result, indent=1) + "\n")
