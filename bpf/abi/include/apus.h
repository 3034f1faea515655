/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the BPF programs, the agent and the proxy agree on. The same file is compiled by `clang -target bpf`, by the
 * host's compiler and imported by Swift, so there is no second copy of a layout to keep equal.
 *
 * Rules: fixed-width integers, explicit padding (maps compare padding bytes), no bitfields, big-endian fields end _be.
 */
#ifndef APUS_H
#define APUS_H

#include <linux/types.h>

/*
 * Socket options that our cgroup/setsockopt and cgroup/getsockopt programs answer.
 *
 * The proxy has no access to this header (only Redirect imports it), so these numbers are a wire format: never change
 * one. On a socket made by the agent, and only there:
 *
 *   setsockopt(fd, 0x4150, 1, {u8 addr[16]; u16 port_be; u16 pad}, 20)   before connect(): the peer this connection
 *       stands for; the application that accepts it sees this address. IPv4 in mapped form, ::ffff:a.b.c.d.
 *   getsockopt(fd, 0x4150, 2, {u32 kind, slot, direction, pad}, 16)      the agent's tag of this socket; accepted
 *       sockets carry their listener's.
 *
 * On any other socket they fail as an option that the kernel does not know: ENOPROTOOPT and EOPNOTSUPP.
 */
#define APUS_SOL 0x4150
#define APUS_CLIENT_ADDRESS 1
#define APUS_TAG 2

struct apus_client_address {
    __u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    __u16 port_be;
    __u16 pad;
};

/* Why the agent made a socket. Zero is no kind, so that a socket without a tag cannot be mistaken for one with. */
enum apus_kind {
    APUS_KIND_NONE = 0,
    APUS_KIND_LISTENER = 1, /* and every socket accepted from it */
    APUS_KIND_BROKER = 2,   /* handed to the proxy to connect with */
};

/* Telemetry.Direction has the same raw values. */
enum apus_direction {
    APUS_INBOUND = 0,
    APUS_OUTBOUND = 1,
};

/* Kept in socket storage, out of the reach of whoever holds the socket. */
struct apus_tag {
    __u32 kind;
    __u32 slot;
    __u32 direction; /* of a listener; a brokered socket may serve either */
    __u32 pad;
};

/* Ports inside a pod's namespace. */
#define APUS_OUTBOUND_PORT 15001
#define APUS_INBOUND_PORT 15006
#define APUS_HBONE_PORT 15008

/*
 * Routing marks: only the upper half is ours, a pod's own lower half is kept.
 * CAPTURE: the policy rule sends it to lo. BYPASS: matches no rule; our listeners carry it because a socket accepted
 * from an unmarked listener would take the mark of its SYN where net.ipv4.tcp_fwmark_accept is set.
 */
#define APUS_MARK_MASK 0xffff0000
#define APUS_MARK_CAPTURE 0x41500000
#define APUS_MARK_BYPASS 0x41510000
#define APUS_ROUTE_TABLE 16720
#define APUS_RULE_PRIORITY 100

/*
 * The pinned maps. Raise the version whenever a layout or a meaning below changes: an agent that finds another version
 * withdraws everything and starts afresh instead of misreading it.
 */
#define APUS_ABI_VERSION 1
#define APUS_MAX_SLOTS 1024
#define APUS_MAX_ADDRESSES 16384 /* 16 for each slot */
#define APUS_UID_SIZE 128
#define APUS_PATH_SIZE 256

/* The only element of `meta`. */
struct apus_meta {
    __u32 version;
    __u32 pad;
};

/* An address in network order, IPv4 in mapped form, so that both families share every table. */
struct apus_ip {
    __u32 word_be[4];
};

/* Of a pod and of its slot. */
#define APUS_ENROLLED 1  /* the slot is taken */
#define APUS_CAPTURE 2   /* connections are redirected; without it only listeners are recorded */
#define APUS_FAIL_OPEN 4 /* while nobody listens, let traffic pass instead of refusing it */
#define APUS_NO_IPV4 8   /* the pod has no address of the family, so connecting fails by itself, with the true error */
#define APUS_NO_IPV6 16

/* `pods`: by the cookie of the pod's network namespace. */
struct apus_pod {
    __u32 slot;
    __u32 flags;
};

/* `slots`: by slot; what a restarted agent needs to recognise the pod, or to clean up after it. */
struct apus_slot {
    __u64 netns_cookie;
    __u32 flags;
    __u32 pad;
    char uid[APUS_UID_SIZE];        /* zero-terminated */
    char netns_path[APUS_PATH_SIZE]; /* zero-terminated */
};

/* `meshed`: longest prefix; the length counts bits of the mapped form. */
struct apus_range {
    __u32 length;
    struct apus_ip ip;
};

/* `addresses`: the pod's own. */
struct apus_own_address {
    __u32 slot;
    struct apus_ip ip;
};

/* `exempt`: longest prefix, so that a range of ports is at most 30 entries. Lengths are 48 (any port) to 64 (one). */
struct apus_exempt {
    __u32 length;
    __u32 slot;
    __u16 direction;
    __u16 port_be;
};

/* `ports`: how many sockets of the pod listen at the port, whatever the address. */
struct apus_port {
    __u32 slot;
    __u16 port;
    __u16 pad;
};

/* The argument of the program that counts listeners which were there before enrolment. */
struct apus_recount {
    __u64 socket_cookie;
    struct apus_port port;
    __u32 remove;
    __u32 pad;
};

/* `listeners` is indexed by slot, direction and family (0 IPv4, 1 IPv6); a dual-stack listener is in both places. */
#define APUS_LISTENER_INDEX(slot, direction, family) ((slot) * 4 + (direction) * 2 + (family))

/* `handover`: the client address on its way from the connecting to the accepting socket of one namespace. */
struct apus_flow {
    __u64 netns_cookie;
    struct apus_ip local;
    struct apus_ip remote;
    __u16 local_port_be;
    __u16 remote_port_be;
    __u32 pad;
};

/* `statistics`: one record for each connection of an enrolled pod that was established, when it ends. */
struct apus_connection {
    struct apus_ip local;
    struct apus_ip remote;
    __u64 bytes_acked;    /* SYN and FIN count as one byte each */
    __u64 bytes_received; /* so does a FIN here */
    __u32 slot;
    __u32 smoothed_rtt_us;
    __u32 minimum_rtt_us;
    __u32 retransmits;
    __u32 segments_out;
    __u32 segments_in;
    __u16 local_port;
    __u16 remote_port;
    __u8 kind; /* enum apus_kind; APUS_KIND_NONE is the application's own socket */
    __u8 direction;
    __u8 pad[2];
};

/* `counters`: every decision has one. Names for people are in Redirect, in the same order. */
enum apus_reason {
    /* connect */
    APUS_REDIRECTED,
    APUS_SKIPPED_NOT_TCP,
    APUS_SKIPPED_NOT_ENROLLED,
    APUS_SKIPPED_TAGGED,
    APUS_SKIPPED_LOOPBACK,
    APUS_SKIPPED_SELF,
    APUS_SKIPPED_FAMILY,
    APUS_SKIPPED_RANGE,
    APUS_SKIPPED_PORT,
    APUS_SKIPPED_FAIL_OPEN,
    APUS_REFUSED_NO_LISTENER,
    APUS_REFUSED_NO_MARK,
    APUS_DEVICE_CLEARED,
    APUS_MARK_CLEARED,
    /* lookup */
    APUS_STEERED_OUTBOUND,
    APUS_STEERED_INBOUND,
    APUS_INBOUND_LOOPBACK,
    APUS_INBOUND_HBONE,
    APUS_INBOUND_SELF,
    APUS_INBOUND_EXEMPT,
    APUS_INBOUND_UNLISTED,
    APUS_INBOUND_FAIL_OPEN,
    APUS_DROPPED_OWN_PORT,
    APUS_DROPPED_NO_LISTENER,
    /* sockops and sockopt */
    APUS_CLIENT_SET,
    APUS_CLIENT_HANDED_OVER,
    APUS_CLIENT_STALE,
    APUS_STATISTICS_SENT,
    APUS_STATISTICS_DROPPED,
    APUS_REASON_COUNT,
};

#endif
