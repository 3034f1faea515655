/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Watches the life of the sockets of enrolled pods: which ports have a listener, whose address a connection stands for
 * (handed from our connecting socket to the application's accepted one), and what the kernel measured when it ends.
 */
#include "lib/decide.h"

#define TCP_LISTEN BPF_TCP_LISTEN
#define TCP_SYN_SENT BPF_TCP_SYN_SENT
#define TCP_CLOSE BPF_TCP_CLOSE

static __always_inline void watch_states(struct bpf_sock_ops *ctx)
{
    bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void endpoints(struct bpf_sock_ops *ctx, struct apus_ip *local, struct apus_ip *remote)
{
    __u32 family = CONTEXT_U32(ctx, struct bpf_sock_ops, family);
    CONTEXT_IP(local, family, ctx, struct bpf_sock_ops, local_ip4, local_ip6);
    CONTEXT_IP(remote, family, ctx, struct bpf_sock_ops, remote_ip4, remote_ip6);
}

/* `local_port` is in host order, `remote_port` in network order in the upper half (include/uapi/linux/bpf.h). */
static __always_inline __u16 remote_port(struct bpf_sock_ops *ctx)
{
    return (__u16)bpf_ntohl(ctx->remote_port);
}

static __always_inline void on_listen(struct bpf_sock_ops *ctx, struct apus_pod *pod)
{
    struct bpf_sock *sk = ctx->sk;
    struct apus_port port = {};

    watch_states(ctx); /* of unenrolled pods too: a pod that is enrolled later must see them close */
    if (!pod || !sk || bpf_sk_storage_get(&tags, sk, 0, 0))
        return;
    port.slot = pod->slot;
    port.port = (__u16)ctx->local_port;
    count_listener(bpf_get_socket_cookie(ctx), &port);
}

/* The source port is chosen by now, and the SYN not yet sent: the acceptor cannot come before the entry. */
static __always_inline void on_connect(struct bpf_sock_ops *ctx, __u64 namespace)
{
    struct bpf_sock *sk = ctx->sk;
    struct apus_client_address *client;
    struct apus_flow flow = { .netns_cookie = namespace };

    watch_states(ctx);
    if (!sk)
        return;
    client = bpf_sk_storage_get(&stands_for, sk, 0, 0);
    if (!client)
        return;
    endpoints(ctx, &flow.local, &flow.remote);
    flow.local_port_be = bpf_htons((__u16)ctx->local_port);
    flow.remote_port_be = bpf_htons(remote_port(ctx));
    bpf_map_update_elem(&handover, &flow, client, BPF_ANY);
}

static __always_inline void on_accept(struct bpf_sock_ops *ctx, __u64 namespace)
{
    struct bpf_sock *sk = ctx->sk;
    struct apus_client_address *client;
    /* The connecting side's view: its local end is our remote one. */
    struct apus_flow flow = { .netns_cookie = namespace };

    watch_states(ctx);
    endpoints(ctx, &flow.remote, &flow.local);
    flow.remote_port_be = bpf_htons((__u16)ctx->local_port);
    flow.local_port_be = bpf_htons(remote_port(ctx));
    client = bpf_map_lookup_elem(&handover, &flow);
    if (!client || !sk)
        return;
    if (bpf_sk_storage_get(&clients, sk, client, BPF_SK_STORAGE_GET_F_CREATE))
        count(APUS_CLIENT_HANDED_OVER);
    bpf_map_delete_elem(&handover, &flow);
}

/* A refused connection leaves its entry behind, and the next user of that port would inherit a stranger's address. */
static __always_inline void forget_client(struct bpf_sock_ops *ctx, struct bpf_sock *sk, __u64 namespace)
{
    struct apus_flow flow = { .netns_cookie = namespace };
    if (!bpf_sk_storage_get(&stands_for, sk, 0, 0))
        return;
    endpoints(ctx, &flow.local, &flow.remote);
    flow.local_port_be = bpf_htons((__u16)ctx->local_port);
    flow.remote_port_be = bpf_htons(remote_port(ctx));
    if (!bpf_map_delete_elem(&handover, &flow))
        count(APUS_CLIENT_STALE);
}

static __always_inline void report(struct bpf_sock_ops *ctx, struct bpf_sock *sk, struct apus_pod *pod)
{
    struct apus_tag *tag = bpf_sk_storage_get(&tags, sk, 0, 0);
    struct apus_connection *record;

    /* The application's end of a captured connection: our end of it says the same and is reported. */
    if (!tag && (sk->mark & APUS_MARK_MASK) == APUS_MARK_CAPTURE)
        return;
    if (!tag && bpf_sk_storage_get(&clients, sk, 0, 0))
        return;
    record = bpf_ringbuf_reserve(&statistics, sizeof(*record), 0);
    if (!record) {
        count(APUS_STATISTICS_DROPPED);
        return;
    }
    __builtin_memset(record, 0, sizeof(*record));
    endpoints(ctx, &record->local, &record->remote);
    record->local_port = (__u16)ctx->local_port;
    record->remote_port = remote_port(ctx);
    record->bytes_acked = ctx->bytes_acked;
    record->bytes_received = ctx->bytes_received;
    record->slot = pod->slot;
    record->smoothed_rtt_us = ctx->srtt_us >> 3; /* the kernel keeps eighths */
    record->minimum_rtt_us = ctx->rtt_min;
    record->retransmits = ctx->total_retrans;
    record->segments_out = ctx->segs_out;
    record->segments_in = ctx->segs_in;
    record->kind = tag ? tag->kind : APUS_KIND_NONE;
    if (tag && tag->kind == APUS_KIND_LISTENER)
        record->direction = tag->direction;
    else if (tag)
        record->direction = is_own_address(pod->slot, &record->remote) ? APUS_INBOUND : APUS_OUTBOUND;
    else /* an application's port that is listened at is one that it serves */
        record->direction = APUS_OUTBOUND;
    if (!tag) {
        struct apus_port port = { .slot = pod->slot, .port = record->local_port };
        __u32 *listening = bpf_map_lookup_elem(&ports, &port);
        if (listening && *listening)
            record->direction = APUS_INBOUND;
    }
    bpf_ringbuf_submit(record, 0);
    count(APUS_STATISTICS_SENT);
}

static __always_inline void on_state(struct bpf_sock_ops *ctx, struct apus_pod *pod, __u64 namespace)
{
    __u32 old_state = ctx->args[0], new_state = ctx->args[1];
    struct bpf_sock *sk;

    if (new_state != TCP_CLOSE)
        return;
    if (old_state == TCP_LISTEN) {
        uncount_listener(bpf_get_socket_cookie(ctx));
        return;
    }
    sk = ctx->sk;
    if (!pod || !sk)
        return;
    forget_client(ctx, sk, namespace);
    if (old_state != TCP_SYN_SENT)
        report(ctx, sk, pod);
}

SEC("sockops")
int apus_sockops(struct bpf_sock_ops *ctx)
{
    __u32 operation = ctx->op;
    __u64 namespace;
    struct apus_pod *pod;

    /* About nine calls a connection: leave early for those of no interest. */
    if (operation != BPF_SOCK_OPS_TCP_CONNECT_CB && operation != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
        operation != BPF_SOCK_OPS_TCP_LISTEN_CB && operation != BPF_SOCK_OPS_STATE_CB)
        return 1;
    namespace = bpf_get_netns_cookie(ctx);
    pod = bpf_map_lookup_elem(&pods, &namespace);
    if (operation == BPF_SOCK_OPS_TCP_LISTEN_CB)
        on_listen(ctx, pod);
    else if (operation == BPF_SOCK_OPS_STATE_CB)
        on_state(ctx, pod, namespace);
    else if (!pod)
        return 1;
    else if (operation == BPF_SOCK_OPS_TCP_CONNECT_CB)
        on_connect(ctx, namespace);
    else
        on_accept(ctx, namespace);
    return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
