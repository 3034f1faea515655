// SPDX-License-Identifier: Apache-2.0

/// Every metric that an agent exports. Names without the `apus_` prefix are Linkerd's, with its labels and bounds, so that
/// existing boards and queries work.
package enum Catalog {
    /// Who a series is about. Exactly one of the owner labels is present; a pod without an owner has none.
    package static let podLabels =
        ["namespace", "pod"] + ownerLabels
    private static let ownerLabels = [
        "deployment", "replicaset", "statefulset", "daemonset", "k8s_job", "cronjob", "replicationcontroller",
    ]
    private static let destinationLabels =
        ["dst_namespace", "dst_pod", "dst_service"] + ownerLabels.map { "dst_\($0)" }
    private static let sideLabels = ["direction"] + podLabels
    private static let httpLabels = sideLabels + destinationLabels + ["authority", "tls"]
    private static let tcpLabels = sideLabels + destinationLabels + ["peer", "tls"]

    // MARK: Linkerd's

    package static let requests = MetricFamily(
        "request_total", .counter, labels: httpLabels, "HTTP requests whose head has been read.")
    package static let responses = MetricFamily(
        "response_total", .counter, labels: httpLabels + ["classification", "status_code", "grpc_status"],
        "HTTP responses that ended; 5xx, responses that broke off and gRPC calls that the service failed are failures.")
    package static let responseLatency = MetricFamily(
        "response_latency_ms", .histogram, labels: httpLabels + ["status_code"],
        "Time from a request's head to its response's head, in whole milliseconds.")
    package static let tcpOpened = MetricFamily(
        "tcp_open_total", .counter, labels: tcpLabels, "Connections opened.")
    package static let tcpOpen = MetricFamily(
        "tcp_open_connections", .gauge, labels: tcpLabels, "Connections open now.")
    package static let tcpClosed = MetricFamily(
        "tcp_close_total", .counter, labels: tcpLabels + ["errno"],
        "Connections that ended; errno is left out for an orderly end.")
    package static let tcpRead = MetricFamily(
        "tcp_read_bytes_total", .counter, labels: tcpLabels, "Bytes read from the peer.")
    package static let tcpWritten = MetricFamily(
        "tcp_write_bytes_total", .counter, labels: tcpLabels, "Bytes written to the peer.")

    // MARK: Pods

    package static let requestsOpen = MetricFamily(
        "apus_requests_open", .gauge, labels: httpLabels, "Requests and streams that have begun and not ended.")
    package static let fineLatency = MetricFamily(
        "apus_response_latency_seconds", .histogram, labels: sideLabels,
        "Time from a request's head to its response's head, at most 3.2 % off; only bounds that are in use.")
    package static let overhead = MetricFamily(
        "apus_proxy_overhead_seconds", .histogram, labels: sideLabels,
        "Time that a request and its response spent inside the proxy; only bounds that are in use.")
    package static let podProcessorTime = MetricFamily(
        "apus_proxy_cpu_seconds_total", .counter, labels: podLabels,
        "Processor time that the proxy spent for the pod.")
    package static let failures = MetricFamily(
        "apus_failures_total", .counter, labels: sideLabels + ["reason"],
        "Connections and requests that the mesh had to end; reasons are explained in docs/troubleshooting.md.")
    package static let roundTrip = MetricFamily(
        "apus_tcp_rtt_seconds", .histogram, labels: sideLabels,
        "The kernel's smoothed round-trip time at the end of each connection; only bounds that are in use.")
    package static let retransmits = MetricFamily(
        "apus_tcp_retransmits_total", .counter, labels: sideLabels, "Segments that the kernel had to send again.")

    // MARK: The node

    package static let redirect = MetricFamily(
        "apus_redirect_total", .counter, labels: ["reason"], "Decisions of the eBPF programs, by reason.")
    package static let pods = MetricFamily(
        "apus_pods", .gauge, labels: ["state"], "Pods of the configuration: enrolled, or failed to be.")
    package static let configurationErrors = MetricFamily(
        "apus_config_errors_total", .counter, "Times that the configuration could not be read or used.")
    package static let configurationVersion = MetricFamily(
        "apus_config_version", .gauge, "How many different configurations this agent has taken since it started.")
    package static let configurationBad = MetricFamily(
        "apus_config_bad", .gauge, "1 while the configuration on disk is bad and the one before it is used.")
    package static let socketsBrokered = MetricFamily(
        "apus_sockets_brokered_total", .counter, "Sockets made inside pod namespaces for the proxy.")
    package static let socketsRefused = MetricFamily(
        "apus_sockets_refused_total", .counter, labels: ["reason"], "Sockets that the proxy asked for and did not get.")
    package static let proxyRestarts = MetricFamily(
        "apus_proxy_restarts_total", .counter, "Times that the proxy died and was started again.")
    package static let proxyUp = MetricFamily(
        "apus_proxy_up", .gauge, "1 while the proxy answers on its link.")
    package static let workerEvents = MetricFamily(
        "apus_worker_events_total", .counter, labels: ["worker", "event"],
        "What the proxy's workers count of themselves.")
    package static let workerProcessorTime = MetricFamily(
        "apus_worker_cpu_seconds_total", .counter, labels: ["worker"], "Processor time of the proxy's worker threads.")
    package static let series = MetricFamily(
        "apus_series", .gauge, labels: ["kind"], "Series kept by the agent.")
    package static let seriesOverflow = MetricFamily(
        "apus_series_overflow_total", .counter, labels: ["reason"],
        "Counts that were folded or left out: a limit on series.")
    package static let taps = MetricFamily(
        "apus_taps", .gauge, "Taps that are running.")
    package static let tapEvents = MetricFamily(
        "apus_tap_events_total", .counter, labels: ["outcome"], "Tap events by what became of them: sent or dropped.")
    package static let processTime = MetricFamily(
        "process_cpu_seconds_total", .counter, labels: ["process"], "User and system time of the agent and the proxy.")
    package static let processMemory = MetricFamily(
        "process_resident_memory_bytes", .gauge, labels: ["process"], "Resident memory of the agent and the proxy.")
    package static let processDescriptors = MetricFamily(
        "process_open_fds", .gauge, labels: ["process"], "Open descriptors of the agent and the proxy.")
    package static let processStart = MetricFamily(
        "process_start_time_seconds", .gauge, labels: ["process"], "Start of the process since the epoch.")
    package static let build = MetricFamily(
        "apus_build_info", .gauge, labels: ["version", "node"], "Always 1.")

    /// All families, in the order of a scrape.
    package static let all = [
        requests, responses, responseLatency, tcpOpened, tcpOpen, tcpClosed, tcpRead, tcpWritten, requestsOpen,
        fineLatency, overhead,
        podProcessorTime, failures, roundTrip, retransmits, redirect, pods, configurationErrors, configurationVersion,
        configurationBad, socketsBrokered, socketsRefused, proxyRestarts, proxyUp, taps, tapEvents, workerEvents,
        workerProcessorTime, series, seriesOverflow, processTime, processMemory, processDescriptors, processStart,
        build,
    ]
}
