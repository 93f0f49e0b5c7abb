/// A set of byte strings, each with a number, that is walked byte by byte.
struct ByteTrie: Sendable {
    // From a node by a byte to the next node; node 0 is the root.
    private var edges = PairTable(minimumCapacity: 64)
    private var values: [Int32] = [ByteTrie.none]
    private static let none: Int32 = -1

    var root: Int32 { 0 }

    /// Stores a string; a later one of the same bytes replaces it.
    mutating func insert(_ key: some Sequence<UInt8>, _ value: Int32) {
        var node = root
        for byte in key {
            if let edge = edges[node, Int32(byte)] {
                node = edge.value
            } else {
                let next = Int32(clamping: values.count)
                edges.insert(node, Int32(byte), .init(rank: 0, value: next))
                values.append(ByteTrie.none)
                node = next
            }
        }
        values[Int(node)] = value
    }

    /// The node that `byte` leads to, or nil where no string goes on with it.
    func next(_ node: Int32, _ byte: UInt8) -> Int32? { edges[node, Int32(byte)]?.value }

    /// The number of a string, or nil where it is not in the set.
    func value(of key: some Sequence<UInt8>) -> Int32? {
        var node = root
        for byte in key {
            guard let next = next(node, byte) else { return nil }
            node = next
        }
        return value(at: node)
    }

    /// The number of the string that ends at a node, or nil where none does.
    func value(at node: Int32) -> Int32? {
        let value = values[Int(node)]
        return value == ByteTrie.none ? nil : value
    }
}
