/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What accept() and getpeername() tell the application: the client that our connection stands for. Not seen by `ss` or
 * a packet capture, which show our own address.
 */
#include "lib/address.h"
#include "lib/maps.h"

#define KEEP 1 /* getpeername programs may return nothing else */

SEC("cgroup/getpeername4")
int apus_peername4(struct bpf_sock_addr *ctx)
{
    struct bpf_sock *sk = ctx->sk;
    struct apus_client_address *client;
    struct apus_ip ip;
    if (!sk)
        return KEEP;
    client = bpf_sk_storage_get(&clients, sk, 0, 0);
    if (!client)
        return KEEP;
    __builtin_memcpy(&ip, client->addr, sizeof(ip));
    if (!is_ipv4(&ip)) /* does not fit; the port alone would be worse than nothing */
        return KEEP;
    ctx->user_ip4 = ip.word_be[3];
    ctx->user_port = client->port_be;
    return KEEP;
}

SEC("cgroup/getpeername6")
int apus_peername6(struct bpf_sock_addr *ctx)
{
    struct bpf_sock *sk = ctx->sk;
    struct apus_client_address *client;
    struct apus_ip ip;
    if (!sk)
        return KEEP;
    client = bpf_sk_storage_get(&clients, sk, 0, 0);
    if (!client)
        return KEEP;
    __builtin_memcpy(&ip, client->addr, sizeof(ip));
    ctx->user_ip6[0] = ip.word_be[0];
    ctx->user_ip6[1] = ip.word_be[1];
    ctx->user_ip6[2] = ip.word_be[2];
    ctx->user_ip6[3] = ip.word_be[3];
    ctx->user_port = client->port_be;
    return KEEP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
