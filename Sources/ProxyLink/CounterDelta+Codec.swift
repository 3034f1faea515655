// SPDX-License-Identifier: Apache-2.0

import Model
import Telemetry

extension CounterDelta {
    private enum Kind: UInt8 {
        case http = 1
        case tcp, failure, processorTime, worker
    }

    package func encode(into writer: inout MessageWriter) {
        switch self {
        case .http(let key, let delta):
            writer.write(Kind.http.rawValue)
            key.encode(into: &writer)
            delta.encode(into: &writer)
        case .tcp(let key, let delta):
            writer.write(Kind.tcp.rawValue)
            key.encode(into: &writer)
            delta.encode(into: &writer)
        case .failure(let pod, let direction, let reason, let count):
            writer.write(Kind.failure.rawValue)
            writer.write(pod)
            writer.write(direction.rawValue)
            writer.write(reason.rawValue)
            writer.write(count)
        case .processorTime(let pod, let nanoseconds):
            writer.write(Kind.processorTime.rawValue)
            writer.write(pod)
            writer.write(nanoseconds)
        case .worker(let counter, let worker, let count):
            writer.write(Kind.worker.rawValue)
            writer.write(counter.rawValue)
            writer.write(worker)
            writer.write(count)
        }
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        switch try reader.readCase(Kind.self) {
        case .http:
            let key = try HTTPSeriesKey(decoding: &reader)
            self = .http(key, try HTTPSeriesDelta(decoding: &reader))
        case .tcp:
            let key = try TCPSeriesKey(decoding: &reader)
            self = .tcp(key, try TCPSeriesDelta(decoding: &reader))
        case .failure:
            let pod = try reader.readID()
            let direction = try reader.readCase(Direction.self)
            guard let reason = Failure.Reason(rawValue: try reader.readText()) else { throw reader.malformed("reason") }
            self = .failure(pod: pod, direction: direction, reason: reason, count: try reader.read())
        case .processorTime:
            let pod = try reader.readID()
            self = .processorTime(pod: pod, nanoseconds: try reader.read())
        case .worker:
            let counter = try reader.readCase(WorkerCounter.self)
            let worker: UInt16 = try reader.read()
            self = .worker(counter, worker: worker, count: try reader.read())
        }
    }
}

extension HTTPSeriesKey {
    func encode(into writer: inout MessageWriter) {
        writer.write(pod)
        writer.write(direction.rawValue)
        writer.write(peer)
        writer.write(service)
        writer.write(security.rawValue)
        writer.write(authority)
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        pod = try reader.readID()
        direction = try reader.readCase()
        peer = try reader.readID()
        service = try reader.readID()
        security = try reader.readCase()
        authority = try reader.readText()
    }
}

extension TCPSeriesKey {
    func encode(into writer: inout MessageWriter) {
        writer.write(pod)
        writer.write(direction.rawValue)
        writer.write(side.rawValue)
        writer.write(peer)
        writer.write(service)
        writer.write(security.rawValue)
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        pod = try reader.readID()
        direction = try reader.readCase()
        side = try reader.readCase()
        peer = try reader.readID()
        service = try reader.readID()
        security = try reader.readCase()
    }
}

extension HTTPSeriesDelta {
    func encode(into writer: inout MessageWriter) {
        writer.write(requests)
        writer.write(liveChange)
        writer.write(UInt32(responses.count))
        for entry in responses {
            writer.write(entry.status)
            writer.write(entry.grpcStatus)
            writer.write(entry.isSuccess)
            writer.write(entry.count)
            writer.write(entry.latencySumMs)
            writer.write(entry.latencyMs, below: UInt16(LatencyBins.linkerdBoundsMs.count + 1))
        }
        writer.write(latency, below: UInt16(LatencyBins.count))
        writer.write(latencySumMicroseconds)
        writer.write(overhead, below: UInt16(LatencyBins.count))
        writer.write(overheadSumNanoseconds)
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        requests = try reader.read()
        liveChange = try reader.read()
        responses = []
        for _ in 0..<(try reader.readCount(elementSize: 24)) {
            let status: UInt16 = try reader.read()
            let grpcStatus = try reader.readGRPCStatus()
            let isSuccess = try reader.readBool()
            let count: UInt64 = try reader.read()
            let sum: UInt64 = try reader.read()
            responses.append(
                Responses(
                    status: status, grpcStatus: grpcStatus, isSuccess: isSuccess, count: count, latencySumMs: sum,
                    latencyMs: try reader.readBins(below: UInt16(LatencyBins.linkerdBoundsMs.count + 1))))
        }
        latency = try reader.readBins(below: UInt16(LatencyBins.count))
        latencySumMicroseconds = try reader.read()
        overhead = try reader.readBins(below: UInt16(LatencyBins.count))
        overheadSumNanoseconds = try reader.read()
    }
}

extension TCPSeriesDelta {
    func encode(into writer: inout MessageWriter) {
        writer.write(opened)
        writer.write(UInt32(closed.count))
        for entry in closed {
            writer.write(entry.errno)
            writer.write(entry.count)
        }
        writer.write(readBytes)
        writer.write(writtenBytes)
    }

    init(decoding reader: inout MessageReader) throws(MalformedMessage) {
        opened = try reader.read()
        closed = []
        for _ in 0..<(try reader.readCount(elementSize: 12)) {
            let errno: Int32 = try reader.read()
            closed.append(Closed(errno: errno, count: try reader.read()))
        }
        readBytes = try reader.read()
        writtenBytes = try reader.read()
    }
}

extension MessageWriter {
    fileprivate mutating func write(_ bins: [BinCount], below limit: UInt16) {
        write(UInt32(bins.count))
        for entry in bins {
            assert(entry.bin < limit)
            write(entry.bin)
            write(entry.count)
        }
    }
}

extension MessageReader {
    /// Bins with an index below `limit`: the agent uses it as an array index.
    fileprivate mutating func readBins(below limit: UInt16) throws(MalformedMessage) -> [BinCount] {
        var bins: [BinCount] = []
        for _ in 0..<(try readCount(elementSize: 6)) {
            let bin: UInt16 = try read()
            guard bin < limit else { throw malformed("bin") }
            bins.append(BinCount(bin: bin, count: try read()))
        }
        return bins
    }
}
