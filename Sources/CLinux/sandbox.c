// SPDX-License-Identifier: Apache-2.0
// What apus-proxy gives up before it reads the first byte of a stranger. In C, because a filter is an array of macros.
#define _GNU_SOURCE
#include "CLinux.h"

#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define APUS_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define APUS_AUDIT_ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp architecture known for this processor"
#endif

#define ALLOW(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// Bytes, waiting, memory, threads, time, ending: no file is opened, no program started, no socket created.
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, APUS_AUDIT_ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    // In the order of frequency: the filter is a list.
    ALLOW(sendto), ALLOW(recvfrom), ALLOW(epoll_pwait),
#ifdef SYS_epoll_wait
    ALLOW(epoll_wait),
#endif
    ALLOW(splice), ALLOW(close), ALLOW(accept), ALLOW(accept4), ALLOW(getsockname), ALLOW(setsockopt), ALLOW(getsockopt), ALLOW(bind),
    ALLOW(connect), ALLOW(shutdown), ALLOW(epoll_ctl), ALLOW(read), ALLOW(write), ALLOW(futex), ALLOW(clock_gettime),
    ALLOW(recvmsg), ALLOW(sendmsg), ALLOW(ppoll),
#ifdef SYS_poll
    ALLOW(poll),
#endif
    ALLOW(epoll_create1), ALLOW(eventfd2), ALLOW(pipe2), ALLOW(fcntl), ALLOW(dup), ALLOW(mmap), ALLOW(munmap),
    ALLOW(mprotect), ALLOW(mremap), ALLOW(madvise), ALLOW(brk), ALLOW(pread64), ALLOW(fstat), ALLOW(lseek), ALLOW(writev),
#ifdef SYS_newfstatat
    ALLOW(newfstatat),
#endif
    ALLOW(clone), ALLOW(clone3), ALLOW(set_robust_list), ALLOW(rseq), ALLOW(sched_yield), ALLOW(sched_getaffinity),
    ALLOW(membarrier), ALLOW(getrandom), ALLOW(getpid), ALLOW(gettid), ALLOW(clock_nanosleep), ALLOW(nanosleep),
    ALLOW(gettimeofday), ALLOW(prctl), ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn),
    ALLOW(sigaltstack), ALLOW(tgkill), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
    // An error and not a kill: a C library that probes for a newer call falls back to one that is allowed.
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (ENOSYS & SECCOMP_RET_DATA)),
};

int apus_sandbox(uint32_t uid, const char *root, const char **step) {
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
    *step = "unshare";
    if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS) != 0) return -errno;
    *step = "chroot";
    if (chroot(root) != 0 || chdir("/") != 0) return -errno;
    *step = "setgroups";
    if (setgroups(0, NULL) != 0) return -errno;
    *step = "setresgid";
    if (setresgid(uid, uid, uid) != 0) return -errno;
    *step = "setresuid";
    if (setresuid(uid, uid, uid) != 0) return -errno;  // leaves every capability behind (man 7 capabilities)
    *step = "no_new_privs";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    *step = "seccomp";
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return -errno;
    return 0;
}
