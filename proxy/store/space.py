"""Room on the disk, which is for recording first: what everything else leaves of it."""

import os


def free_bytes(folder: str) -> int:
    """Return the room that is left for us on the disk of a folder. OSError when the disk cannot be asked."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
