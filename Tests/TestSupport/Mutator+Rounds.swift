import ByteIO

extension Mutator {
    /// Damages bytes in many ways, and holds a reader to its promise: it reads them, or refuses them with an
    /// error that says what is wrong and where. A trap would end the test process.
    ///
    /// - Parameters:
    ///   - original: the undamaged bytes.
    ///   - rounds: how often; every third copy is damaged twice.
    ///   - read: reads a damaged copy; the words say what was done to it.
    /// - Throws: `UnhelpfulError` for a refusal that names nothing, and what `read` throws that is no
    ///   `FormatError`.
    public static func damage(
        _ original: [UInt8], rounds: Int, _ read: (_ bytes: [UInt8], _ what: String) throws -> Void
    ) throws {
        for seed in 0..<UInt64(rounds) {
            var mutator = Mutator(seed: seed)
            var (bytes, what) = mutator.mutated(original)
            if seed.isMultiple(of: 3) {
                let first = what
                (bytes, what) = mutator.mutated(bytes)
                what = "\(first), then \(what)"
            }
            what = "seed \(seed): \(what)"
            do {
                try read(bytes, what)
            } catch let error as FormatError {
                guard !error.subject.isEmpty, error.offset >= 0 else {
                    throw UnhelpfulError(description: "\(what): \(error)")
                }
            }
        }
    }

    /// A file was refused without a word on what in it is wrong.
    public struct UnhelpfulError: Error, CustomStringConvertible {
        public let description: String
    }
}
