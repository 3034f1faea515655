// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// `APUS_DATA_PLANE=1 swift test` builds and tests only what runs per byte and per connection, with no package at all:
// seconds instead of minutes. Everything else is unchanged by it.
let dataPlaneOnly = Context.environment["APUS_DATA_PLANE"] != nil
// `make fuzz` sets APUS_FUZZ: only the fuzz targets and what they call, since all of it is built with sanitizers.
let fuzzing = Context.environment["APUS_FUZZ"] != nil

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let strictAndSafe = strict + [.strictMemorySafety()]

/// Static Swift runtime, so that a binary needs nothing but glibc and the C libraries it names.
func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = [],
    safe: Bool = false
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path, exclude: exclude,
        swiftSettings: safe ? strictAndSafe : strict)
}

func program(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = []
) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil, exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: strict)
}

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(
    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let dataPlane: [Target] = [
    .target(name: "CLinux"),
    .systemLibrary(
        name: "CLibBPF", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev", "libelf-dev"])]),
    // The same headers are compiled by `clang -target bpf`, by the host compiler and imported by Swift.
    .target(name: "CApusABI", path: "bpf/abi"),
    library("Addresses", safe: true),
    library("Kernel", ["CLinux", "Addresses"], safe: true),
    library("BPF", ["CLibBPF"], safe: true),
    library("Wire", safe: true),
    library("Model", ["Addresses"]),
    library("Telemetry", ["Addresses"]),
    library("Routing", ["Addresses", "Model"]),
    library("Redirect", ["CApusABI", "BPF", "Kernel", "Addresses"]),
    library("ProxyLink", ["Kernel", "Addresses", "Model", "Telemetry"]),
    library("Proxy", ["Kernel", "Addresses", "Wire", "Model", "Telemetry", "Routing", "ProxyLink"]),
    program("apus-proxy", ["Proxy"]),

    library("TestSupport", ["Kernel", "Addresses"]),
    library("FuzzOracles", ["Wire"], path: "Tests/Support/FuzzOracles"),
    program(
        "proxy-harness", ["ProxyLink", "Model", "Telemetry", "Kernel", "Addresses"],
        path: "Tests/Support/ProxyHarness"),
    tests("AddressesTests", ["Addresses"]),
    tests("KernelTests", ["Kernel", "Addresses"]),
    tests("WireTests", ["Wire", "FuzzOracles"], exclude: ["Vectors"]),
    tests("TelemetryTests", ["Telemetry"]),
    tests("RoutingTests", ["Routing", "Model", "Addresses"]),
    tests("ProxyLinkTests", ["ProxyLink", "Model", "Telemetry", "Kernel", "Addresses"]),
    tests("ProxyTests", ["Proxy", "ProxyLink", "Model", "Telemetry", "Kernel", "Addresses", "TestSupport"]),
    tests("RedirectTests", ["Redirect", "BPF", "Kernel", "Addresses", "TestSupport"]),
]

let controlSide: [Target] = [
    library(
        "Agent",
        ["Redirect", "ProxyLink", "Model", "Telemetry", "Kernel", "Addresses", logging, lifecycle, yams, hummingbird]),
    library("LocalCluster", ["Model", "Kernel", "Addresses", logging, yams]),
    library(
        "Commands",
        ["LocalCluster", "Telemetry", "Model", "Addresses", argumentParser, httpClient, nioCore, nioHTTP1, logging]),
    program("apus", ["Commands"]),
    program("apus-agent", ["Agent", argumentParser, logging, lifecycle]),
    program(
        "emojivoto",
        [
            grpcCore, grpcTransport, grpcProtobuf, protobuf, hummingbird, httpClient, nioCore, nioHTTP1, nioPosix,
            logging, lifecycle, argumentParser,
        ],
        path: "deploy/samples/emojivoto", exclude: ["Protos"]),

    library(
        "AgentOracles", ["Agent", "Model", "Addresses", "FuzzOracles"], path: "Tests/Support/AgentOracles"),
    tests(
        "AgentTests",
        [
            "Agent", "ProxyLink", "Model", "Telemetry", "Kernel", "Addresses", "TestSupport", "AgentOracles",
            "FuzzOracles",
        ]),
    tests("CommandsTests", ["Commands", "Telemetry", argumentParser], exclude: ["Golden"]),
    tests("EmojivotoTests", ["emojivoto", grpcCore]),
    tests("LocalClusterTests", ["LocalCluster", "Model", "TestSupport"]),
]

/// One fuzz target for each parser. libFuzzer brings `main`.
func fuzzer(_ name: String, _ folder: String, _ oracles: [Target.Dependency] = []) -> Target {
    program("fuzz-" + name, oracles + ["FuzzOracles"], path: "Tests/Fuzz/" + folder)
}

let fuzz: [Target] =
    (dataPlane + controlSide).filter {
        ["Addresses", "Model", "Wire", "FuzzOracles", "AgentOracles"].contains($0.name)
    }
    + [
        // The agent without its servers: what reads its file.
        library(
            "Agent", ["Addresses", "Model", yams], path: "Sources/Agent/StaticFile", exclude: ["StateSource.swift"]),
        fuzzer("http1-request", "HTTP1Request"),
        fuzzer("http1-response", "HTTP1Response"),
        fuzzer("chunked", "Chunked"),
        fuzzer("detect", "Detect"),
        fuzzer("clienthello", "ClientHello"),
        fuzzer("hpack", "HPACK"),
        fuzzer("http2", "HTTP2"),
        fuzzer("configuration", "Configuration", ["AgentOracles"]),
    ]

let package = Package(
    name: "apus",
    platforms: [.macOS(.v15)],
    dependencies: dataPlaneOnly
        ? []
        : [
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
            .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
            .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
            .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
            .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
            .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
            .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
            .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
            .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
            .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        ],
    targets: fuzzing ? fuzz : dataPlaneOnly ? dataPlane : dataPlane + controlSide
)
