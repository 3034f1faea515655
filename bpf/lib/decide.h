/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Questions that more than one program asks of the maps. */
#ifndef APUS_DECIDE_H
#define APUS_DECIDE_H

#include "address.h"
#include "maps.h"

static __always_inline int is_own_address(__u32 slot, const struct apus_ip *ip)
{
    struct apus_own_address key = { .slot = slot, .ip = *ip };
    return bpf_map_lookup_elem(&addresses, &key) != 0;
}

static __always_inline int is_meshed(const struct apus_ip *ip)
{
    struct apus_range key = { .length = 128, .ip = *ip };
    return bpf_map_lookup_elem(&meshed, &key) != 0;
}

static __always_inline int is_exempt(__u32 slot, enum apus_direction direction, __u16 port_be)
{
    struct apus_exempt key = { .length = 64, .slot = slot, .direction = direction, .port_be = port_be };
    return bpf_map_lookup_elem(&exempt, &key) != 0;
}

#endif
