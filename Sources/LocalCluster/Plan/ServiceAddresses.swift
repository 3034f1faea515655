// SPDX-License-Identifier: Apache-2.0

import Addresses

/// Hands out virtual addresses: those that manifests ask for, then 10.96.0.10 and up.
struct ServiceAddresses {
    private var taken: [IPAddress: Manifest.ServiceObject] = [:]
    private var next: UInt32 = 0x0a60_000a

    /// Takes the address that `service` asks for, if it does.
    mutating func reserve(_ service: Manifest.ServiceObject) throws(ManifestError) {
        guard case .fixed(let text) = service.address else { return }
        guard let address = IPAddress(text), IPPrefix(AddressRanges.services)?.contains(address) == true else {
            throw service.place.error(
                "clusterIP is \"\(text)\"", hint: "use one of \(AddressRanges.services), None, or leave it out")
        }
        if let other = taken.updateValue(service, forKey: address) {
            throw service.place.error(
                "clusterIP \(text) belongs to \(other.namespace)/\(other.name)", hint: "use another, or leave it out")
        }
    }

    /// The address of `service`; `nil` for a headless one.
    mutating func address(for service: Manifest.ServiceObject) throws(ManifestError) -> String? {
        switch service.address {
        case .none: return nil
        case .fixed(let text): return text
        case .any:
            while taken[IPAddress(v4: next)] != nil { next += 1 }
            taken[IPAddress(v4: next)] = service
            return IPAddress(v4: next).description
        }
    }
}
