/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Called by the agent, never attached: adds a listener that was there before we watched, or takes off one that closed
 * unseen. A program, because only programs can add to a count that sockops changes at the same time.
 */
#include "lib/maps.h"

SEC("syscall")
int apus_recount(struct apus_recount *argument)
{
    struct apus_port port = argument->port;
    if (argument->remove)
        uncount_listener(argument->socket_cookie);
    else
        count_listener(argument->socket_cookie, &port);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
