/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every map, pinned by name. Each object file has them all; the loader gives all objects the same ones, and a restarted
 * agent those of the one before it.
 */
#ifndef APUS_MAPS_H
#define APUS_MAPS_H

#include "apus.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define SHARED_MAP __uint(pinning, LIBBPF_PIN_BY_NAME)

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct apus_meta);
} meta SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, APUS_MAX_SLOTS);
    __type(key, __u64);
    __type(value, struct apus_pod);
} pods SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, APUS_MAX_SLOTS);
    __type(key, __u32);
    __type(value, struct apus_slot);
} slots SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 1024);
    __type(key, struct apus_range);
    __type(value, __u32);
} meshed SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, APUS_MAX_ADDRESSES);
    __type(key, struct apus_own_address);
    __type(value, __u32);
} addresses SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, struct apus_exempt);
    __type(value, __u32);
} exempt SEC(".maps");

/* A listener table only; no data ever goes through it. An entry vanishes when the last descriptor is closed. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, APUS_MAX_SLOTS * 4);
    __type(key, __u32);
    __type(value, __u64);
} listeners SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct apus_port);
    __type(value, __u32);
} ports SEC(".maps");

/* By socket cookie: which listeners are in the count, so that none is counted twice or taken off twice. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, struct apus_port);
} counted SEC(".maps");

/* Cloned, so that an accepted socket has its listener's tag. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct apus_tag);
} tags SEC(".maps");

/* On a brokered socket: the peer it will stand for. Not in `clients`, or its own getpeername() would lie. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct apus_client_address);
} stands_for SEC(".maps");

/* On the application's accepted socket: whom it really talks to. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct apus_client_address);
} clients SEC(".maps");

/* LRU: an entry whose other end never comes must not fill the table. */
struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct apus_flow);
    __type(value, struct apus_client_address);
} handover SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} statistics SEC(".maps");

struct {
    SHARED_MAP;
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, APUS_REASON_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(enum apus_reason reason)
{
    __u32 key = reason;
    __u64 *value = bpf_map_lookup_elem(&counters, &key);
    if (value)
        (*value)++; /* per CPU; a nested program may lose one, which a statistic can bear */
}

/* Recorded by sockops and by the seeding program. Whether the socket was new to the count. */
static __always_inline int count_listener(__u64 socket_cookie, const struct apus_port *port)
{
    __u32 zero = 0, *listening;
    if (bpf_map_update_elem(&counted, &socket_cookie, port, BPF_NOEXIST))
        return 0;
    bpf_map_update_elem(&ports, port, &zero, BPF_NOEXIST);
    listening = bpf_map_lookup_elem(&ports, port);
    if (listening)
        __sync_fetch_and_add(listening, 1);
    return 1;
}

static __always_inline void uncount_listener(__u64 socket_cookie)
{
    struct apus_port *found = bpf_map_lookup_elem(&counted, &socket_cookie), port;
    __u32 *listening;
    if (!found)
        return;
    port = *found;
    if (bpf_map_delete_elem(&counted, &socket_cookie))
        return; /* somebody else has just taken it off */
    listening = bpf_map_lookup_elem(&ports, &port);
    if (listening)
        __sync_fetch_and_add(listening, -1);
}

#endif
