"""What the machine and the server take: processor, memory, disk."""

import shutil

import psutil

Figures = dict[str, float | int]


class Processors:
    """How busy the machine is from one asking to the next, whichever thread asks (``psutil`` counts for each)."""

    def __init__(self) -> None:
        self._last = psutil.cpu_times()

    def percent(self) -> float | None:
        """Return the share of all processors' time that was used since the last call; None: no time has passed."""
        before, self._last = self._last, psutil.cpu_times()
        spent = {name: getattr(self._last, name) - getattr(before, name) for name in self._last._fields}
        guests = spent.get("guest", 0.0) + spent.get("guest_nice", 0.0)  # in user and nice already
        whole = sum(spent.values()) - guests
        used = whole - spent["idle"] - spent.get("iowait", 0.0)
        return round(min(100.0, max(0.0, 100 * used / whole)), 1) if whole > 0 else None


def system_figures(data_dir: str, processors: Processors) -> Figures:
    """Return figures of the machine, the data directory's disk and the server's processes together.

    ``cpu_percent`` is since the last call; sizes are bytes. What is not known is left out.
    """
    memory = psutil.virtual_memory()
    percent = processors.percent()
    found: Figures = {
        **({} if percent is None else {"cpu_percent": percent}),
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
