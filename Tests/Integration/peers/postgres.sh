#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A PostgreSQL of its own: programs, data directory, port.
set -euo pipefail
if [ ! -d "$2" ]; then
    install -d -o postgres -m 700 "$2"
    setpriv --reuid postgres --regid postgres --clear-groups "$1/initdb" -D "$2" -A trust -U postgres --no-sync >/dev/null
    echo "host all all 0.0.0.0/0 trust" >>"$2/pg_hba.conf"
fi
exec setpriv --reuid postgres --regid postgres --clear-groups "$1/postgres" -D "$2" -p "$3" -h 0.0.0.0 -k "$2"
