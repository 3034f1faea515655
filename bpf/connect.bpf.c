/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Stage 1, redirect, outbound half: marks a connecting socket of an enrolled pod, so that the policy route of its
 * namespace delivers the SYN to lo, where lookup.bpf.c hands it to our listener. Addresses are never rewritten.
 *
 * Runs in the caller of connect(), before a route is chosen, for every socket below the cgroup.
 */
#include "lib/decide.h"

#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define SOL_SOCKET 1
#define SO_BINDTODEVICE 25
#define SO_MARK 36
#define ECONNREFUSED 111

#define ALLOW 1
#define REFUSE 0

static __always_inline int set_mark(struct bpf_sock_addr *ctx, __u32 mark)
{
    return bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
}

static __always_inline int refuse(enum apus_reason reason)
{
    count(reason);
    bpf_set_retval(-ECONNREFUSED); /* at once: a SYN dropped towards a foreign address would leave the app waiting */
    return REFUSE;
}

/*
 * Lets a connection of an enrolled pod go its own way. The mark may be ours already: set by the pod itself, or left by
 * an earlier, refused connect() of the same socket.
 */
static __always_inline int skip(struct bpf_sock_addr *ctx, struct bpf_sock *sk, enum apus_reason reason)
{
    count(reason);
    if ((sk->mark & APUS_MARK_MASK) == APUS_MARK_CAPTURE) {
        set_mark(ctx, sk->mark & ~APUS_MARK_MASK);
        count(APUS_MARK_CLEARED);
    }
    return ALLOW;
}

/* Only whether there is one: with none, the SYN would be dropped on its way instead of refused. */
static __always_inline int has_listener(__u32 slot, int family)
{
    __u32 index = APUS_LISTENER_INDEX(slot, APUS_OUTBOUND, family);
    struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &index);
    if (!listener)
        return 0;
    bpf_sk_release(listener);
    return 1;
}

static __always_inline int redirect(struct bpf_sock_addr *ctx, const struct apus_ip *destination)
{
    __u64 namespace = bpf_get_netns_cookie(ctx);
    struct apus_pod *pod = bpf_map_lookup_elem(&pods, &namespace);
    struct bpf_sock *sk = ctx->sk;
    __u32 slot;
    int v6;
    char no_device[4] = {};

    if (!pod || !(pod->flags & APUS_CAPTURE)) {
        count(APUS_SKIPPED_NOT_ENROLLED);
        return ALLOW;
    }
    if (!sk || ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP) {
        count(APUS_SKIPPED_NOT_TCP);
        return ALLOW;
    }
    slot = pod->slot;
    v6 = !is_ipv4(destination);
    /* Our own sockets, by a tag that nobody can forge; a mark could be set by any pod with CAP_NET_RAW. */
    if (bpf_sk_storage_get(&tags, sk, 0, 0)) {
        count(APUS_SKIPPED_TAGGED);
        return ALLOW;
    }
    if (is_loopback(destination))
        return skip(ctx, sk, APUS_SKIPPED_LOOPBACK);
    if (is_own_address(slot, destination))
        return skip(ctx, sk, APUS_SKIPPED_SELF);
    if (!is_meshed(destination))
        return skip(ctx, sk, APUS_SKIPPED_RANGE);
    if (is_exempt(slot, APUS_OUTBOUND, (__u16)ctx->user_port))
        return skip(ctx, sk, APUS_SKIPPED_PORT);
    if (pod->flags & (v6 ? APUS_NO_IPV6 : APUS_NO_IPV4))
        return skip(ctx, sk, APUS_SKIPPED_FAMILY);
    if (!has_listener(slot, v6)) {
        if (pod->flags & APUS_FAIL_OPEN)
            return skip(ctx, sk, APUS_SKIPPED_FAIL_OPEN);
        return refuse(APUS_REFUSED_NO_LISTENER);
    }
    /* A bound device wins over any policy route: the marked SYN would leave by it, past us. */
    if (sk->bound_dev_if && !bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTODEVICE, no_device, sizeof(no_device)))
        count(APUS_DEVICE_CLEARED);
    if (set_mark(ctx, (sk->mark & ~APUS_MARK_MASK) | APUS_MARK_CAPTURE))
        return refuse(APUS_REFUSED_NO_MARK);
    count(APUS_REDIRECTED);
    return ALLOW;
}

SEC("cgroup/connect4")
int apus_connect4(struct bpf_sock_addr *ctx)
{
    struct apus_ip destination;
    map_ipv4(&destination, ctx->user_ip4);
    return redirect(ctx, &destination);
}

/* Also every IPv4 destination of an AF_INET6 socket, in mapped form. */
SEC("cgroup/connect6")
int apus_connect6(struct bpf_sock_addr *ctx)
{
    struct apus_ip destination = {
        .word_be = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] },
    };
    return redirect(ctx, &destination);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
