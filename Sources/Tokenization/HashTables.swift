/// A map from pairs of small integers to a number and a rank, built once and then only read.
///
/// Every byte of text that is not in the word cache asks it, so it is one flat array with open
/// addressing, at most half full.
struct PairTable: Sendable {
    struct Entry: Sendable {
        var rank: Int32
        var value: Int32
    }

    private static let empty = UInt64.max
    private struct Slot: Sendable {
        var key = PairTable.empty
        var entry = Entry(rank: 0, value: 0)
    }

    private var slots: [Slot]
    private var count = 0

    init(minimumCapacity: Int) {
        slots = Array(repeating: Slot(), count: PairTable.capacity(for: minimumCapacity))
    }

    /// A power of two of which `count` is at most half.
    static func capacity(for count: Int) -> Int {
        var capacity = 16
        while capacity < count * 2 { capacity *= 2 }
        return capacity
    }

    /// Stores an entry; a later one for the same pair replaces it.
    mutating func insert(_ left: Int32, _ right: Int32, _ entry: Entry) {
        if (count + 1) * 2 > slots.count { grow() }
        let key = PairTable.key(left, right)
        let place = place(of: key)
        if slots[place].key == PairTable.empty { count += 1 }
        slots[place] = Slot(key: key, entry: entry)
    }

    subscript(left: Int32, right: Int32) -> Entry? {
        let slot = slots[place(of: PairTable.key(left, right))]
        return slot.key == PairTable.empty ? nil : slot.entry
    }

    /// Token ids are not negative, so no pair has the key that means empty.
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func place(of key: UInt64) -> Int {
        let mask = slots.count - 1
        var mixed = key &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed >> 32
        var place = Int(truncatingIfNeeded: mixed) & mask
        while slots[place].key != PairTable.empty, slots[place].key != key {
            place = (place + 1) & mask
        }
        return place
    }

    private mutating func grow() {
        var larger = PairTable(minimumCapacity: slots.count)
        for slot in slots where slot.key != PairTable.empty {
            larger.insert(
                Int32(truncatingIfNeeded: slot.key >> 32), Int32(truncatingIfNeeded: slot.key),
                slot.entry)
        }
        self = larger
    }
}

/// A map from byte strings to numbers.
///
/// Swift's own strings compare by canonical equivalence, which would take two spellings of `é` for
/// one token, and hash slowly for it.
struct ByteTable: Sendable {
    /// Where a hash leads, small, so that most of a table's slots stay in a processor's cache.
    private struct Slot: Sendable {
        var hash: UInt32 = 0
        /// Its place among the keys; negative where there is none.
        var key: Int32 = -1
    }

    private var slots: [Slot]
    private var bytes: [UInt8] = []
    /// Where each key starts in `bytes`, in the order in which they came, and where the last one ends.
    private var offsets = [0]
    private var values: [Int32] = []
    var count: Int { values.count }

    init(minimumCapacity: Int) {
        slots = Array(repeating: Slot(), count: PairTable.capacity(for: minimumCapacity))
    }

    /// Maps strings to their places in the list; of equal ones the last counts.
    init(_ strings: [String]) {
        self.init(minimumCapacity: strings.count)
        for (place, string) in strings.enumerated() {
            var string = string
            string.withUTF8 { insert($0, Int32(clamping: place)) }
        }
    }

    mutating func insert(_ key: UnsafeBufferPointer<UInt8>, _ value: Int32) {
        if (count + 1) * 2 > slots.count { grow() }
        let hash = ByteTable.hash(key)
        let index = index(of: key, hash)
        guard slots[index].key < 0 else {
            values[Int(slots[index].key)] = value
            return
        }
        slots[index] = Slot(hash: hash, key: Int32(clamping: count))
        bytes.append(contentsOf: key)
        offsets.append(bytes.count)
        values.append(value)
    }

    mutating func insert(_ key: [UInt8], _ value: Int32) {
        key.withUnsafeBufferPointer { insert($0, value) }
    }

    subscript(key: UnsafeBufferPointer<UInt8>) -> Int32? {
        let place = slots[index(of: key, ByteTable.hash(key))].key
        return place < 0 ? nil : values[Int(place)]
    }

    subscript(key: [UInt8]) -> Int32? { key.withUnsafeBufferPointer { self[$0] } }

    private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }

    private func index(of key: UnsafeBufferPointer<UInt8>, _ hash: UInt32) -> Int {
        let mask = slots.count - 1
        var index = Int(hash) & mask
        while slots[index].key >= 0, !isEqual(slots[index], key, hash) {
            index = (index + 1) & mask
        }
        return index
    }

    private func isEqual(
        _ slot: Slot, _ key: UnsafeBufferPointer<UInt8>, _ hash: UInt32
    ) -> Bool {
        guard slot.hash == hash else { return false }
        let start = offsets[Int(slot.key)]
        guard offsets[Int(slot.key) + 1] - start == key.count else { return false }
        for place in 0..<key.count where bytes[start + place] != key[place] { return false }
        return true
    }

    private mutating func grow() {
        var larger = [Slot](repeating: Slot(), count: slots.count * 2)
        let mask = larger.count - 1
        for slot in slots where slot.key >= 0 {
            var index = Int(slot.hash) & mask
            while larger[index].key >= 0 { index = (index + 1) & mask }
            larger[index] = slot
        }
        slots = larger
    }
}
