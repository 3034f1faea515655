// SPDX-License-Identifier: Apache-2.0
// Compiled with _GNU_SOURCE, which the header must not define: Swift's Glibc module was built without it, and two
// modules that see different definitions of one glibc type do not import together.
#define _GNU_SOURCE
#include "CLinux.h"

#include <linux/sched.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <grp.h>
#include <spawn.h>
#include <unistd.h>

// errno is a macro over a thread-local; Swift's own accessor is a function call that may come too late in debug builds.
int apus_errno(void) { return errno; }

// Macros with a cast or a shift that the importer skips.
uint32_t apus_epollet(void) { return EPOLLET; }
uint32_t apus_epollexclusive(void) { return EPOLLEXCLUSIVE; }
int apus_sock_nonblock_cloexec(void) { return SOCK_NONBLOCK | SOCK_CLOEXEC; }

// accept4, pipe2, setns, splice, memfd_create need _GNU_SOURCE, which Swift's Glibc module does not define.
int apus_accept(int fd, struct sockaddr_storage *peer, socklen_t *size) {
    return accept4(fd, (struct sockaddr *)peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int apus_pipe(int fds[2]) { return pipe2(fds, O_NONBLOCK | O_CLOEXEC); }
int apus_enter_network_namespace(int fd) { return setns(fd, CLONE_NEWNET); }
int apus_new_network_namespace(void) { return unshare(CLONE_NEWNET); }
ssize_t apus_splice(int from, int to, size_t length, int more) {
    return splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
}
int apus_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }
int apus_seal(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}
int apus_seals(int fd) { return fcntl(fd, F_GET_SEALS); }
int apus_seals_wanted(void) { return F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW; }

// fcntl, ioctl and syscall are variadic.
int apus_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
int apus_ioctl_pointer(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }
int apus_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int apus_pidfd_getfd(int pidfd, int target) { return (int)syscall(SYS_pidfd_getfd, pidfd, target, 0); }
int apus_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}
int apus_gettid(void) { return (int)syscall(SYS_gettid); }

// CMSG_* are macros. Sends `count` descriptors with `length` bytes of payload in one message.
ssize_t apus_send_fds(int fd, const void *bytes, size_t length, const int *fds, size_t count) {
    union { char bytes[CMSG_SPACE(sizeof(int) * APUS_MAX_FDS)]; struct cmsghdr align; } control;
    struct iovec part = { (void *)bytes, length };
    struct msghdr message = { 0 };
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > APUS_MAX_FDS) { errno = EINVAL; return -1; }
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

// Receives one message and its descriptors (close-on-exec). `fds` has room for APUS_MAX_FDS. -1 with EMSGSIZE if either
// part was cut off; descriptors that came with a cut message are closed.
ssize_t apus_receive_fds(int fd, void *bytes, size_t capacity, int *fds, size_t *count, int flags) {
    union { char bytes[CMSG_SPACE(sizeof(int) * APUS_MAX_FDS)]; struct cmsghdr align; } control;
    struct iovec part = { bytes, capacity };
    struct msghdr message = { 0 };
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    *count = 0;
    ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | flags);
    if (size < 0) return size;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && *count < APUS_MAX_FDS; i++)
            memcpy(&fds[(*count)++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < *count; i++) close(fds[i]);
        *count = 0;
        errno = EMSGSIZE;
        return -1;
    }
    return size;
}

// Who is at the other end of a Unix socket: struct ucred needs _GNU_SOURCE. -1 if not known.
int apus_peer_uid(int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int)peer.uid : -1;
}
int apus_peer_pid(int fd) {
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int)peer.pid : -1;
}

// Needs _GNU_SOURCE. `actions` is a posix_spawn_file_actions_t.
int apus_spawn_close_from(void *actions, int first) { return posix_spawn_file_actions_addclosefrom_np(actions, first); }

// WIFEXITED and friends are macros.
int apus_exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
int apus_term_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

