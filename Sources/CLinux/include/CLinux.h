// SPDX-License-Identifier: Apache-2.0
// What Swift's Glibc module lacks: macros, variadics and calls that need _GNU_SOURCE.
// Every function says why it is here and has no logic of its own.
#ifndef APUS_CLINUX_H
#define APUS_CLINUX_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>

// errno is a macro over a thread-local; Swift's own accessor is a function call that may come too late in debug builds.
int apus_errno(void);

// Macros with a cast or a shift that the importer skips.
uint32_t apus_epollet(void);
uint32_t apus_epollexclusive(void);
int apus_sock_nonblock_cloexec(void);

// accept4, pipe2, setns, splice, memfd_create need _GNU_SOURCE, which Swift's Glibc module does not define.
int apus_accept(int fd, struct sockaddr_storage *peer, socklen_t *size);
int apus_pipe(int fds[2]);
int apus_enter_network_namespace(int fd);
int apus_new_network_namespace(void);
ssize_t apus_splice(int from, int to, size_t length, int more);
int apus_memfd(const char *name);
int apus_seal(int fd);
int apus_seals(int fd);
int apus_seals_wanted(void);

// fcntl, ioctl and syscall are variadic.
int apus_fcntl(int fd, int command, int argument);
int apus_ioctl_pointer(int fd, unsigned long request, void *argument);
int apus_pidfd_open(int pid);
int apus_pidfd_getfd(int pidfd, int target);
int apus_pidfd_send_signal(int pidfd, int signal);
int apus_gettid(void);

// CMSG_* are macros. Sends `count` descriptors with `length` bytes of payload in one message.
#define APUS_MAX_FDS 253 /* SCM_MAX_FD of the kernel, include/net/scm.h */
ssize_t apus_send_fds(int fd, const void *bytes, size_t length, const int *fds, size_t count);

// Receives one message and its descriptors (close-on-exec). `fds` has room for APUS_MAX_FDS. -1 with EMSGSIZE if either
// part was cut off; descriptors that came with a cut message are closed.
ssize_t apus_receive_fds(int fd, void *bytes, size_t capacity, int *fds, size_t *count, int flags);

// Who is at the other end of a Unix socket: struct ucred needs _GNU_SOURCE. -1 if not known.
int apus_peer_uid(int fd);
int apus_peer_pid(int fd);

// Gives up everything that a process can give up for good (see sandbox.c): 0, or a negated errno with the step in `step`.
int apus_sandbox(uint32_t uid, const char *root, const char **step);

// Needs _GNU_SOURCE. `actions` is a posix_spawn_file_actions_t.
int apus_spawn_close_from(void *actions, int first);

// WIFEXITED and friends are macros.
int apus_exit_code(int status);
int apus_term_signal(int status);


#endif
