/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef APUS_ADDRESS_H
#define APUS_ADDRESS_H

#include "apus.h"

#include <bpf/bpf_endian.h>

#define AF_INET 2
#define AF_INET6 10

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

/*
 * Reads one 32-bit field of a context by assembly. In C, clang merges the loads of an IPv4 and an IPv6 branch into one
 * load at a computed address, and the verifier refuses a changed context pointer.
 */
#define CONTEXT_U32(context, type, member)                                                                             \
    ({                                                                                                                 \
        __u32 value_;                                                                                                  \
        asm volatile("%0 = *(u32 *)(%1 + %2)"                                                                          \
                     : "=r"(value_)                                                                                    \
                     : "r"(context), "i"(offsetof(type, member)));                                                     \
        value_;                                                                                                        \
    })

/* Fills an apus_ip from a context with fields FIELD4 and FIELD6[4]. */
#define CONTEXT_IP(ip, family, context, type, field4, field6)                                                          \
    do {                                                                                                               \
        if ((family) == AF_INET) {                                                                                     \
            map_ipv4(ip, CONTEXT_U32(context, type, field4));                                                          \
        } else {                                                                                                       \
            (ip)->word_be[0] = CONTEXT_U32(context, type, field6[0]);                                                  \
            (ip)->word_be[1] = CONTEXT_U32(context, type, field6[1]);                                                  \
            (ip)->word_be[2] = CONTEXT_U32(context, type, field6[2]);                                                  \
            (ip)->word_be[3] = CONTEXT_U32(context, type, field6[3]);                                                  \
        }                                                                                                              \
    } while (0)

static __always_inline void map_ipv4(struct apus_ip *ip, __u32 address_be)
{
    ip->word_be[0] = 0;
    ip->word_be[1] = 0;
    ip->word_be[2] = bpf_htonl(0xffff);
    ip->word_be[3] = address_be;
}

static __always_inline int is_ipv4(const struct apus_ip *ip)
{
    return !ip->word_be[0] && !ip->word_be[1] && ip->word_be[2] == bpf_htonl(0xffff);
}

static __always_inline int is_same(const struct apus_ip *left, const struct apus_ip *right)
{
    return left->word_be[3] == right->word_be[3] && left->word_be[2] == right->word_be[2] &&
           left->word_be[1] == right->word_be[1] && left->word_be[0] == right->word_be[0];
}

/* 127.0.0.0/8, ::1, and the unspecified addresses, which connect() takes for them. */
static __always_inline int is_loopback(const struct apus_ip *ip)
{
    if (is_ipv4(ip))
        return (ip->word_be[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) || !ip->word_be[3];
    return !ip->word_be[0] && !ip->word_be[1] && !ip->word_be[2] && (bpf_ntohl(ip->word_be[3]) <= 1);
}

#endif
