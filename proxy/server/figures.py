"""What the machine and the server take: processor, memory, disk."""

import shutil

import psutil

__all__ = ["Figures", "system_figures"]

Figures = dict[str, float | int]


def system_figures(data_dir: str, pids: tuple[int, ...]) -> Figures:
    """Return figures of the machine, the data directory's disk and the server's processes together.

    Percentages are since the last call, of one processor for the server and of all for the machine; sizes are bytes.
    What the system does not tell is left out.
    """
    memory = psutil.virtual_memory()
    found: Figures = {
        "cpu_percent": psutil.cpu_percent(),
        "load_1m": round(psutil.getloadavg()[0], 2),
        "memory_total_bytes": memory.total,
        "memory_available_bytes": memory.available,
    }
    try:
        disk = shutil.disk_usage(data_dir)
        found |= {"disk_total_bytes": disk.total, "disk_free_bytes": disk.free}
    except OSError:
        pass
    return found | processes(pids)


def processes(pids: tuple[int, ...]) -> Figures:
    """Return what these processes take together; those that are gone count nothing."""
    found: Figures = {
        "server_processes": 0,
        "server_cpu_seconds": 0.0,
        "server_memory_bytes": 0,
        "server_open_files": 0,
        "server_threads": 0,
    }
    for pid in pids:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                figures = (
                    1,
                    times.user + times.system,
                    process.memory_info().rss,
                    process.num_fds(),
                    process.num_threads(),
                )
        except psutil.Error:
            continue
        for name, figure in zip(list(found), figures, strict=True):
            found[name] += figure
    found["server_cpu_seconds"] = round(found["server_cpu_seconds"], 3)
    return found
