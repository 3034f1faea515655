/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The layouts as numbers: a change that would break a running agent's pinned maps does not compile unnoticed. */
#include "apus.h"

#include <stddef.h>

_Static_assert(sizeof(struct apus_client_address) == 20, "the proxy writes 20 bytes");
_Static_assert(offsetof(struct apus_client_address, port_be) == 16, "port after the address");
_Static_assert(sizeof(struct apus_tag) == 16, "the proxy reads 16 bytes");
_Static_assert(sizeof(struct apus_meta) == 8, "meta");
_Static_assert(sizeof(struct apus_ip) == 16, "ip");
_Static_assert(sizeof(struct apus_pod) == 8, "pod");
_Static_assert(sizeof(struct apus_slot) == 16 + APUS_UID_SIZE + APUS_PATH_SIZE, "slot");
_Static_assert(sizeof(struct apus_range) == 20, "range");
_Static_assert(sizeof(struct apus_own_address) == 20, "own address");
_Static_assert(sizeof(struct apus_exempt) == 12, "exempt");
_Static_assert(offsetof(struct apus_exempt, port_be) == 10, "the port is last: it is what a prefix cuts");
_Static_assert(sizeof(struct apus_port) == 8, "port");
_Static_assert(sizeof(struct apus_recount) == 24, "recount");
_Static_assert(sizeof(struct apus_flow) == 48, "flow");
_Static_assert(sizeof(struct apus_connection) == 80, "connection");
