"""The files that are served, and the lists of them for the clients."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import measure

MIB = 1 << 20
SMALL = 10000
AGE = 61  # seconds; servers take more care of what changed in the last minute

# name: how many, their size, in how many folders
KINDS = {
    "1k": (SMALL, 1 << 10, 1),
    "1k-folders": (SMALL, 1 << 10, 100),
    "16k": (SMALL, 16 << 10, 1),
    "16k-folders": (SMALL, 16 << 10, 100),
    "big": (1, 1024 * MIB, 1),
    "cold": (16, 128 * MIB, 1),
}
QUICK = {**KINDS, "big": (1, 256 * MIB, 1), "cold": (16, 16 * MIB, 1)}


class Files:
    """Below folder: root/, which is served, and a list of each kind.  They
    stay there for the next run."""

    def __init__(self, folder, kinds):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        self.kinds = kinds
        self.stamp = os.path.join(folder, "stamp.json")

    def list(self, kind):
        return os.path.join(self.folder, kind + ".list")

    def list_of_all(self):
        return os.path.join(self.folder, "all.list")

    def size(self, kind):
        return self.kinds[kind][1]

    def paths(self, kind):
        """The names of a kind as they are asked for: "/1k/0/00000.txt"."""
        count, size, folders = self.kinds[kind]
        suffix = "txt" if size < MIB else "bin"
        return ["/%s/%d/%05d.%s" % (kind, i % folders, i, suffix)
                for i in range(count)]

    def make(self):
        if not self.are_there():
            print("making the files in %s" % self.folder, file=sys.stderr,
                  flush=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            for kind in self.kinds:
                self.make_kind(kind)
            # Pages that are not on the disk yet cannot be dropped, and
            # writing them back would fall into the first rounds.
            subprocess.run(["sync", "-f", self.folder], check=True)
            with open(self.stamp, "w") as f:
                json.dump(self.kinds, f)
        left = os.stat(self.stamp).st_mtime + AGE - time.time()
        if left > 0:
            print("waiting %d s, until the files are not new" % left,
                  file=sys.stderr, flush=True)
            time.sleep(left)

    def are_there(self):
        try:
            with open(self.stamp) as f:
                made = json.load(f)
        except (OSError, ValueError):
            return False
        return made == {kind: list(how) for kind, how in self.kinds.items()}

    def make_kind(self, kind):
        size, paths = self.size(kind), self.paths(kind)
        for folder in {os.path.dirname(path) for path in paths}:
            os.makedirs(self.root + folder)
        for i, path in enumerate(paths):
            if size < MIB:
                with open(self.root + path, "wb") as f:
                    f.write(random.Random(i).randbytes(size))
            else:
                measure.write_file(self.root + path, size)
        lines = ["%d %s\n" % (size, path) for path in paths]
        for name, mode in (self.list(kind), "w"), (self.list_of_all(), "a"):
            with open(name, mode) as f:
                f.writelines(lines)

    def drop(self, kind):
        """Their pages leave the page cache."""
        for path in self.paths(kind):
            fd = os.open(self.root + path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

    def read(self, kind):
        """Their pages are in the page cache."""
        for path in self.paths(kind):
            with open(self.root + path, "rb", buffering=0) as f:
                while f.read(MIB):
                    pass
