// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A ``Descriptor`` that can be put into an array: closed with its last reference.
package final class OwnedDescriptor: Sendable {
    package let descriptor: Descriptor

    /// Takes ownership of `number`.
    package init(_ number: CInt) { descriptor = Descriptor(adopting: number) }
}
