// SPDX-License-Identifier: Apache-2.0

import ProxyLink
import Telemetry
import Wire

extension Worker {
    /// An upstream's header block is in ``block``: an interim response, the response, or its trailers.
    mutating func onResponseBlock(_ mux: MuxRef, _ id: UInt32, endsStream: Bool) throws(HTTP2Error) {
        guard let stream = mux.pointee.streams.find(id) else {
            if isIdle(mux, id) { throw HTTP2Error(.protocolError) }
            return try spendStray(mux)  // we have reset it
        }
        let up = stream.up
        guard !up.pointee.receivedEnd else { return streamError(stream, mux, .streamClosed) }
        guard !block.isTooLarge else { return streamError(stream, mux, .enhanceYourCalm) }
        do throws(HTTP2StreamError) {
            if up.pointee.receivedHead {
                try onResponseTrailers(stream, endsStream: endsStream)
            } else {
                try onResponseHead(stream, endsStream: endsStream)
            }
        } catch {
            streamError(stream, mux, error.code)
        }
    }

    private mutating func onResponseHead(_ stream: StreamRef, endsStream: Bool) throws(HTTP2StreamError) {
        let response = try HTTP2.ResponseFields.read(block)
        let (session, exchange, up) = (stream.pointee.session, stream.exchange, stream.up)
        if response.isInterim {
            stream.pointee.interim += 1
            guard !endsStream, stream.pointee.interim <= Limits.interimResponses else {
                throw HTTP2StreamError(.protocolError)
            }
            guard sendFields(stream, stream.down, isRebuilt: false, endsStream: false) else {
                throw HTTP2StreamError(.enhanceYourCalm)
            }
            return
        }
        // Responses without a body may say how long it would be (RFC 9110 §8.6).
        let isBodiless = stream.pointee.method == .head || response.status == 304 || response.status == 204
        up.pointee.expected = isBodiless || stream.pointee.method == .connect ? -1 : response.contentLength
        guard !endsStream || up.pointee.expected <= 0 else { throw HTTP2StreamError(.protocolError) }
        up.pointee.receivedHead = true
        up.pointee.receivedEnd = endsStream
        exchange.pointee.hasBegun = true
        exchange.pointee.status = response.status
        exchange.pointee.responded = turnStart
        if stream.pointee.isGRPC || response.isGRPC { exchange.pointee.grpcStatus = response.grpcStatus }
        buffers.release(&stream.pointee.kept, for: session.pointee.pod)
        stream.pointee.keepsBody = false
        releaseCandidate(session, exchange, latency: turnStart &- exchange.pointee.started)
        if exchange.pointee.tap.isMarked { tapResponse(session, exchange) }
        guard sendFields(stream, stream.down, isRebuilt: false, endsStream: endsStream) else {
            throw HTTP2StreamError(.enhanceYourCalm)
        }
    }

    private mutating func onResponseTrailers(_ stream: StreamRef, endsStream: Bool) throws(HTTP2StreamError) {
        guard endsStream, stream.pointee.up.expected <= 0 else { throw HTTP2StreamError(.protocolError) }
        let trailers = try HTTP2.TrailerFields.read(block)
        stream.pointee.up.receivedEnd = true
        if trailers.grpcStatus != GRPC.noStatus { stream.pointee.exchange.grpcStatus = trailers.grpcStatus }
        guard sendFields(stream, stream.down, isRebuilt: false, endsStream: true) else {
            throw HTTP2StreamError(.enhanceYourCalm)
        }
    }

    /// The upstream has reset a stream: whoever made the request learns it with the same code, unless another endpoint can
    /// be asked.
    mutating func onUpstreamReset(_ stream: StreamRef, _ code: HTTP2.ErrorCode) {
        if code == .refusedStream
            && (retryElsewhere(stream, needsOther: true) || retryHere(stream)
                || retryElsewhere(stream, needsOther: false))
        {
            return
        }
        let up = stream.up
        if code == .noError && up.pointee.receivedEnd {
            // It has answered in full, and does not want the rest of the request.
            up.pointee.sentEnd = true
            dropBacklog(stream, up)
            let held = stream.pointee.down.held
            if held > 0 { credit(stream.down, held) }
            if stream.pointee.down.sentEnd { return resetDownstream(stream, .noError) }
            stream.pointee.resetsWhenSent = true
            return
        }
        forgetUpstream(stream)
        let session = stream.pointee.session
        let reason: Failure.Reason = code == .refusedStream ? .upstreamRefused : .upstreamReset
        stream.pointee.exchange.failure = reason
        session.pointee.pod.pointee.count(reason, session.pointee.direction)
        resetDownstream(stream, code)
    }

    // MARK: Answers of the mesh's own

    /// Fills ``rebuilt`` with what tells a downstream of a failure. Error responses have no body: a header can always be
    /// sent, whatever the windows are.
    mutating func buildAnswer(_ reason: Failure.Reason, status: UInt16, isGRPC: Bool) {
        rebuilt.removeAll()
        if isGRPC {
            rebuilt.append(":status", "200")
            rebuilt.append("content-type", "application/grpc")
            appendGRPCStatus(reason)
        } else {
            rebuilt.append(":status", Array(String(status).utf8))
            rebuilt.append("content-length", "0")
        }
        rebuilt.append("apus-proxy-error", reason)
    }

    /// Trailers for a call that breaks off in the middle.
    mutating func buildTrailers(_ reason: Failure.Reason) {
        rebuilt.removeAll()
        appendGRPCStatus(reason)
        rebuilt.append("apus-proxy-error", reason)
    }

    private mutating func appendGRPCStatus(_ reason: Failure.Reason) {
        rebuilt.append("grpc-status", Array(String(reason.grpcStatus.rawValue).utf8))
        rebuilt.append("grpc-message", reason)
    }

    /// The header list of a request was over the limit: there is no stream to speak of.
    mutating func answerTooLarge(_ mux: MuxRef, _ id: UInt32, endsStream: Bool) {
        buildAnswer(.headTooLarge, status: Failure.Reason.headTooLarge.httpStatus, isGRPC: false)
        emitFields(mux, id, isRebuilt: true, endsStream: true)
        if !endsStream { emitReset(mux, id, .noError) }
    }
}

// Failures may allocate: they are no part of serving.
extension FieldBlock {
    fileprivate mutating func append(_ name: StaticString, _ value: [UInt8]) {
        value.withUnsafeBytes { value in
            _ = append(
                name: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value: value,
                isSensitive: false)
        }
    }

    fileprivate mutating func append(_ name: StaticString, _ value: StaticString) {
        _ = append(
            name: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
            value: UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount), isSensitive: false)
    }

    fileprivate mutating func append(_ name: StaticString, _ reason: Failure.Reason) {
        append(name, Array(reason.rawValue.utf8))
    }
}
