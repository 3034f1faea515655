# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about processes: run time, its split, resident memory; and how busy the machine was otherwise."""

import os

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(_stat(f"/proc/{entry}/stat")[1])
            except OSError:
                continue
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found


def _stat(path):
    # The second field may hold blanks and brackets: what follows the last bracket is regular (man 5 proc).
    with open(path) as file:
        return file.read().rsplit(")", 1)[1].split()


def _tasks(pids):
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            yield f"/proc/{pid}/task/{task}"


def run_time(pids):
    """Processor time used so far, in seconds: the scheduler's own sum, exact to the nanosecond."""
    total = 0
    for task in _tasks(pids):
        with open(f"{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def user_and_system(pids):
    """The same in user and kernel mode, in seconds; by ticks, so only the proportion is worth something."""
    user = system = 0
    for task in _tasks(pids):
        fields = _stat(f"{task}/stat")
        user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICK, system / TICK


def resident_kib(pids):
    """Resident memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            total += next((int(line.split()[1]) for line in file if line.startswith("VmRSS:")), 0)
    return total


def machine_busy():
    """Seconds that all processors have been busy or taken away by the hypervisor."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def machine():
    """What was measured on, in words."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:
        congestion = file.read().strip()
    kernel = os.uname()
    return f"{os.cpu_count()} x {model}, Linux {kernel.release} {kernel.machine}, TCP {congestion}"
