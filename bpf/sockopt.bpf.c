/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Two private socket options for the proxy, which has no privilege: it says whom a brokered socket stands for, and reads
 * the tag that the agent gave a socket. Attached to the agent's own cgroup, since these follow the cgroup of the task
 * that created the socket; at the root every setsockopt() of the machine would pay for them.
 */
#include "lib/maps.h"

#define EINVAL 22
#define CONTINUE 1
#define FAIL 0

SEC("cgroup/setsockopt")
int apus_setsockopt(struct bpf_sockopt *ctx)
{
    struct apus_client_address *given, *kept;
    struct apus_tag *tag;
    struct bpf_sock *sk;

    if (ctx->level != APUS_SOL || ctx->optname != APUS_CLIENT_ADDRESS)
        return CONTINUE;
    sk = ctx->sk;
    if (!sk)
        return CONTINUE;
    tag = bpf_sk_storage_get(&tags, sk, 0, 0);
    if (!tag || tag->kind != APUS_KIND_BROKER)
        return CONTINUE; /* the kernel does not know the option either and says ENOPROTOOPT */
    given = ctx->optval;
    if ((void *)(given + 1) > ctx->optval_end) {
        bpf_set_retval(-EINVAL);
        return FAIL;
    }
    kept = bpf_sk_storage_get(&stands_for, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!kept) {
        bpf_set_retval(-EINVAL);
        return FAIL;
    }
    __builtin_memcpy(kept, given, sizeof(*kept));
    ctx->optlen = -1; /* done here: do not ask the kernel's own handler */
    count(APUS_CLIENT_SET);
    return CONTINUE;
}

SEC("cgroup/getsockopt")
int apus_getsockopt(struct bpf_sockopt *ctx)
{
    struct apus_tag *tag, *out;
    struct bpf_sock *sk;

    if (ctx->level != APUS_SOL || ctx->optname != APUS_TAG)
        return CONTINUE;
    sk = ctx->sk;
    if (!sk)
        return CONTINUE;
    tag = bpf_sk_storage_get(&tags, sk, 0, 0);
    out = ctx->optval;
    if (!tag || (void *)(out + 1) > ctx->optval_end)
        return CONTINUE; /* the kernel's ENOPROTOOPT stands */
    *out = *tag;
    ctx->optlen = sizeof(*out);
    asm volatile("" ::: "memory"); /* or clang merges the two stores into one that the verifier refuses */
    ctx->retval = 0;
    return CONTINUE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
