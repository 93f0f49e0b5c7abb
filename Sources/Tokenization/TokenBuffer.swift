/// Token ids on their way out: all that there are, or what has not been handed on yet.
struct TokenBuffer {
    var ids: [Int32]
    /// Takes ids when there are many, so that those of a long text need not all be held.
    private let receive: (([Int32]) -> Void)?

    private static let capacity = 1 << 13

    init(_ ids: [Int32], receive: (([Int32]) -> Void)? = nil) {
        self.ids = ids
        self.receive = receive
    }

    mutating func append(_ id: Int32) { ids.append(id) }

    /// Hands on what there is, if that is much and somebody wants it.
    mutating func drainIfFull() {
        guard ids.count >= TokenBuffer.capacity, let receive else { return }
        receive(ids)
        ids.removeAll(keepingCapacity: true)
    }
}
