"""What the machine and the server take: processor, memory, disk."""

import shutil

import psutil

Figures = dict[str, float | int]


def system_figures(data_dir: str) -> Figures:
    """Return figures of the machine, the data directory's disk and the server's processes together.

    Sizes are bytes. What is not known is left out.
    """
    memory = psutil.virtual_memory()
    found: Figures = {
        "load_1m": round(psutil.getloadavg()[0], 2),
        "memory_total_bytes": memory.total,
        "memory_available_bytes": memory.available,
    }
    try:
        disk = shutil.disk_usage(data_dir)
        found |= {"disk_total_bytes": disk.total, "disk_free_bytes": disk.free}
    except OSError:
        pass
    return found | processes()


def processes() -> Figures:
    """Return what the server and the processes that it has started take together."""
    found: Figures = {}
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            with process.oneshot():
                times = process.cpu_times()
                figures: Figures = {
                    "server_processes": 1,
                    "server_cpu_seconds": times.user + times.system,
                    "server_memory_bytes": process.memory_info().rss,
                    "server_open_files": process.num_fds(),
                    "server_threads": process.num_threads(),
                }
        except psutil.Error:
            continue  # it has ended meanwhile
        found = {name: found.get(name, 0) + figure for name, figure in figures.items()}
    found["server_cpu_seconds"] = round(found["server_cpu_seconds"], 3)
    return found
