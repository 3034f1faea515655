/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Stage 1, redirect, inbound half, and the end of the outbound one: hands a SYN that arrives in a pod's namespace to
 * our listener there. Loaded once for each pod, because this program type can see neither a namespace cookie nor socket
 * storage; `slot` says whose instance it is.
 *
 * Runs in softirq for each SYN that no established socket claims.
 */
#include "lib/decide.h"

#define IPPROTO_TCP 6
#define LOOPBACK_INTERFACE 1

const volatile __u32 slot = 0;

static __always_inline int pass(enum apus_reason reason)
{
    count(reason);
    return SK_PASS;
}

/* SK_DROP finds no socket, so the kernel answers with RST: refused at once, not a timeout. */
static __always_inline int drop(enum apus_reason reason)
{
    count(reason);
    return SK_DROP;
}

static __always_inline int steer(struct bpf_sk_lookup *ctx, int family, enum apus_direction direction,
                                 enum apus_reason reason)
{
    __u32 index = APUS_LISTENER_INDEX(slot, direction, family), key = slot;
    struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &index);
    struct apus_slot *pod;
    long failed = 1;
    if (listener) {
        failed = bpf_sk_assign(ctx, listener, 0);
        bpf_sk_release(listener);
    }
    if (!failed)
        return pass(reason);
    pod = bpf_map_lookup_elem(&slots, &key);
    if (pod && pod->flags & APUS_FAIL_OPEN)
        return pass(APUS_INBOUND_FAIL_OPEN);
    return drop(APUS_DROPPED_NO_LISTENER);
}

/* Whether any application of the pod listens there; if none does, the refusal must be an ordinary one. */
static __always_inline int is_listened_at(__u16 port)
{
    struct apus_port key = { .slot = slot, .port = port };
    __u32 *count = bpf_map_lookup_elem(&ports, &key);
    return count && *count;
}

SEC("sk_lookup")
int apus_lookup(struct bpf_sk_lookup *ctx)
{
    __u32 family = CONTEXT_U32(ctx, struct bpf_sk_lookup, family);
    __u16 port = (__u16)CONTEXT_U32(ctx, struct bpf_sk_lookup, local_port);
    struct apus_ip local, remote;
    int loopback, v6 = family != AF_INET;

    if (CONTEXT_U32(ctx, struct bpf_sk_lookup, protocol) != IPPROTO_TCP)
        return SK_PASS;
    CONTEXT_IP(&local, family, ctx, struct bpf_sk_lookup, local_ip4, local_ip6);
    CONTEXT_IP(&remote, family, ctx, struct bpf_sk_lookup, remote_ip4, remote_ip6);
    loopback = is_loopback(&local);

    /*
     * It came by the policy route. The interface alone is not enough: an address that the pod itself put on lo looks
     * the same, and steering that would send our own connection to it back to us.
     */
    if (CONTEXT_U32(ctx, struct bpf_sk_lookup, ingress_ifindex) == LOOPBACK_INTERFACE && !loopback &&
        !is_own_address(slot, &local) && is_meshed(&local))
        return steer(ctx, v6, APUS_OUTBOUND, APUS_STEERED_OUTBOUND);

    /* Nobody dials these: the listener would take its own port for the destination, and we would call ourselves. */
    if (port == APUS_OUTBOUND_PORT || port == APUS_INBOUND_PORT)
        return drop(APUS_DROPPED_OWN_PORT);
    if (loopback)
        return pass(APUS_INBOUND_LOOPBACK);
    if (port == APUS_HBONE_PORT)
        return pass(APUS_INBOUND_HBONE);
    /*
     * The pod calling itself, or our brokered socket calling the application. That socket is always bound to the
     * address it calls: comparing the two ends the loop for addresses of the pod that nobody told us, too.
     */
    if (is_own_address(slot, &remote) || is_same(&local, &remote))
        return pass(APUS_INBOUND_SELF);
    if (is_exempt(slot, APUS_INBOUND, bpf_htons(port)))
        return pass(APUS_INBOUND_EXEMPT);
    if (!is_listened_at(port))
        return pass(APUS_INBOUND_UNLISTED);
    return steer(ctx, v6, APUS_INBOUND, APUS_STEERED_INBOUND);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
