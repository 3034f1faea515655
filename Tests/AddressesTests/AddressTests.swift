// SPDX-License-Identifier: Apache-2.0

import Addresses
import Testing

@Suite struct AddressTests {
    @Test(
        "text that is an address comes back in its canonical form (RFC 5952)",
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("10.244.1.5", "10.244.1.5"),
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("fd00:10:244:1::5", "fd00:10:244:1::5"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("::ffff:1.2.3.4", "1.2.3.4"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"), ("0:0:0:0:0:0:0:0", "::"),
        ])
    func canonical(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(
        "text that is not an address is refused",
        arguments: [
            "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "a.b.c.d",
            "1..2.3",
            ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "12345::", "g::", "1:2:3:4:5:6:7::8:9",
            ":1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:", "::1.2.3", "1.2.3.4::", "fe80::1%eth0", "[::1]", "+1.2.3.4",
        ])
    func refused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("an IPv4 address and its mapped form are the same")
    func mapped() throws {
        let address = try #require(IPAddress("::ffff:127.0.0.1"))
        #expect(address == .loopbackV4 && address.isV4 && address.isLoopback && address.v4 == 0x7f00_0001)
        #expect(IPAddress.loopbackV6.isLoopback && !IPAddress.loopbackV6.isV4)
    }

    @Test(
        "socket addresses",
        arguments: [
            ("1.2.3.4:80", true), ("[::1]:443", true), ("::1:443", false), ("1.2.3.4", false),
            ("1.2.3.4:65536", false), ("1.2.3.4:-1", false), ("[1::]:0", true), ("[::1:80", false), ("", false),
        ])
    func socketAddress(text: String, isValid: Bool) {
        #expect((SocketAddress(text)?.description == text) == isValid)
    }

    @Test("prefixes contain their block and nothing else")
    func prefixes() throws {
        let block = try #require(IPPrefix("10.244.7.9/16"))
        #expect(block.description == "10.244.0.0/16")
        #expect(block.contains(try #require(IPAddress("10.244.255.255"))))
        #expect(!block.contains(try #require(IPAddress("10.245.0.0"))))
        #expect(!block.contains(.loopbackV6))
        let all = try #require(IPPrefix("0.0.0.0/0"))
        #expect(all.contains(.loopbackV4) && !all.contains(.loopbackV6))
        #expect(try #require(IPPrefix("::/0")).contains(.loopbackV6))
        let v6 = try #require(IPPrefix("fd00:10::/33"))
        #expect(v6.contains(try #require(IPAddress("fd00:10:7fff::1"))))
        #expect(!v6.contains(try #require(IPAddress("fd00:10:8000::1"))))
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "/8", "10.0.0.0/-1"] {
            #expect(IPPrefix(text) == nil)
        }
    }
}
